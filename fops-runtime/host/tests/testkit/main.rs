//! Drivers with one mistake each that people make, which the kit finds, and their right twins, which pass.
mod coverage;
mod hardware;
mod interrupt_without_section;
mod lock_over_sleep;
mod own_condvar;
mod poll_without_queue;
mod probe_leaks_node;
mod release_touches_hardware;
mod release_twice;
mod resources_cloned;
mod shared_static;
mod stop_forgets_timer;
mod stop_panics;
mod stop_undone;
mod stop_undone_by_another;
mod system_call;
