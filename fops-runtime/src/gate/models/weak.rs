//! What the source cannot do without: taken away, a model fails, and for the reason that it was there.
//!
//! In a process of its own each, since a model that fails may leave its destructors nothing to stand on.
use std::process::Command;
use std::string::String;

/// Somebody meets what the remover has been given, or something half done.
const RACE: &str = "Causality violation";
/// Somebody sleeps for ever.
const SLEEP: &str = "deadlock";

/// What a section that lost its slot says.
#[cfg(not(fops_shared))]
const LOST: &str = "it stands there no more";

/// Without `what`, the model fails in this way; and it holds if all but the last of what is named there is missing.
fn missed(what: &str, model: &str, expected: &str) {
    let run = |weak: &str| {
        let mut program = Command::new(std::env::current_exe().unwrap());
        program.args([model, "--exact", "--nocapture", "--test-threads=1"]).env("FOPS_WEAK", weak);
        program.output().unwrap()
    };
    if let Some((less, _)) = what.rsplit_once(", ") {
        assert!(run(less).status.success(), "{model} fails without the {less} already");
    }
    let output = run(what);
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success(), "{model} holds without the {what}");
    assert!(text.contains(expected), "{model} fails without the {what}, but not for this reason: {text}");
}

macro_rules! missed {
    ($($test:ident: $what:literal, $model:literal, $expected:expr;)+) => {
        $(
            #[test]
            fn $test() {
                missed($what, $model, $expected);
            }
        )+
    };
}

missed! {
    fence_under_the_role:
        "fence under the role",
        "lifetime::models::removers::a_device_that_was_flagged_without_its_role_is_fenced_with_it", RACE;
    wait_for_starts:
        "wait for starts", "lifetime::models::arm::a_start_is_before_the_stop_hook_or_not_at_all", RACE;
    fence_at_enter: "fence at enter", "gate::models::slots::enter_against_unplug", RACE;
    fence_at_exit: "fence at exit", "gate::models::slots::enter_against_unplug", SLEEP;
    heavy_fence: "heavy fence", "gate::models::slots::enter_against_unplug", RACE;
    release_of_the_flag: "release of the flag", "gate::models::slots::who_is_refused_sees_what_the_remover_did_before", RACE;
    acquire_of_the_flag: "acquire of the flag", "gate::models::slots::who_is_refused_sees_what_the_remover_did_before", RACE;
    // The fence at exit is one in a model, where it is one of the compiler's elsewhere.
    release_of_the_event:
        "fence at exit, release of the event", "gate::models::slots::a_remover_that_looks_against_the_last_exit", SLEEP;
    acquire_of_the_event: "acquire of the event", "gate::models::slots::enter_against_unplug", SLEEP;
    release_of_a_section: "release of a section", "gate::models::slots::a_slot_that_another_thread_cleared_is_used_again", RACE;
    release_of_a_slot: "release of a slot", "gate::models::slots::enter_against_unplug", RACE;
    acquire_of_a_slot: "acquire of a slot", "gate::models::slots::enter_against_unplug", RACE;
    acquire_of_a_free_slot:
        "acquire of a free slot", "gate::models::slots::a_slot_that_another_thread_cleared_is_used_again", RACE;
}

// Slots that all threads share.
#[cfg(fops_shared)]
missed! {
    release_of_a_count: "release of a count", "gate::models::slots::sections_that_find_no_slot_in_their_block", RACE;
    acquire_of_a_count: "acquire of a count", "gate::models::slots::sections_that_find_no_slot_in_their_block", RACE;
}

// Slots of each thread's own; and what is above the gate, which has these wherever it has threads.
#[cfg(not(fops_shared))]
missed! {
    symmetric_fence_at_enter:
        "symmetric fence at enter", "gate::models::slots::enter_against_unplug_without_membarrier", RACE;
    symmetric_fence_at_exit:
        "symmetric fence at exit", "gate::models::slots::enter_against_unplug_without_membarrier", SLEEP;
    symmetric_fence_of_unplug:
        "symmetric fence of unplug", "gate::models::slots::enter_against_unplug_without_membarrier", RACE;
    release_of_a_block: "release of a block", "gate::models::slots::two_operations_against_unplug", RACE;
    acquire_of_the_blocks: "acquire of the blocks", "gate::models::slots::two_operations_against_unplug", RACE;
    // As above, of the fence at enter.
    release_of_a_retired_block:
        "fence at enter, release of a retired block", "gate::models::slots::a_block_is_not_taken_from_under_a_section", LOST;
    acquire_of_a_retired_block:
        "acquire of a retired block", "gate::models::slots::a_block_is_not_taken_from_under_a_section", LOST;
    fence_of_a_pause: "fence of a pause", "lifetime::models::pause::a_section_against_a_pause", SLEEP;
    fence_of_a_resume: "fence of a resume", "lifetime::models::pause::a_section_against_a_pause", RACE;
    second_walk_of_a_pause:
        "second walk of a pause", "lifetime::models::pause::a_section_inside_one_that_ends_first_against_a_pause", RACE;
    release_of_a_parked_section:
        "release of a parked section", "lifetime::models::pause::a_sleeper_against_a_pause", RACE;
    fence_of_a_thread_that_goes_on:
        "fence of a thread that goes on", "lifetime::models::pause::a_sleeper_that_goes_on_against_another_pause", RACE;
    look_at_pauses: "look at pauses", "lifetime::models::pause::a_sleeper_against_a_pause", SLEEP;
    release_of_a_pauses_event: "release of a pause's event", "lifetime::models::pause::a_sleeper_against_a_pause", SLEEP;
    acquire_of_a_pauses_event: "acquire of a pause's event", "lifetime::models::pause::a_sleeper_against_a_pause", SLEEP;
    flags_of_a_group: "flags of a group", "lifetime::models::removers::all_of_a_group_are_flagged_before_any_is_drained", SLEEP;
    release_of_a_requests_event:
        "release of a request's event", "lifetime::models::sleepers::what_was_done_before_an_event_is_seen_after_it", RACE;
    acquire_of_a_requests_event:
        "acquire of a request's event", "lifetime::models::sleepers::what_was_done_before_an_event_is_seen_after_it", RACE;
}

#[cfg(all(feature = "async", not(fops_shared)))]
missed! {
    fence_of_a_task_that_waits:
        "fence of a task that waits", "lifetime::models::tasks::a_task_that_looks_against_a_section_that_ends", SLEEP;
    // As above.
    fence_of_who_wakes_tasks:
        "fence at exit, fence of who wakes tasks", "lifetime::models::tasks::a_task_that_looks_against_a_section_that_ends", SLEEP;
}
