//! What came of a run.
use crate::testkit::finding::Finding;
use std::fmt;
use std::time::Duration;

/// What came of a run of the kit: the scenarios, what was found, and what was not tried.
///
/// Displays as a table of the scenarios, and the findings after it.
#[derive(Debug, Clone, Default)]
#[must_use = "a finding fails the test only if `assert` is called"]
pub struct Report {
    pub(super) rows: Vec<Row>,
    pub(super) findings: Vec<Finding>,
    pub(super) not_tried: Vec<NotTried>,
    pub(super) took: Duration,
    pub(super) test: Option<String>,
    /// Of the order that showed a race.
    pub(super) seed: Option<u64>,
}

/// One scenario, with what was in flight.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) scenario: String,
    pub(super) load: String,
    /// What the acts answered.
    pub(super) answers: String,
    /// From the unplug to the last answer.
    pub(super) worst: Option<Duration>,
    pub(super) removal: Option<Duration>,
    pub(super) is_bad: bool,
}

/// Something of the driver's that no act has tried.
#[derive(Debug, Clone)]
pub(super) struct NotTried {
    /// The operation's name.
    pub(super) op: &'static str,
    /// With its type and its place in the source.
    pub(super) what: String,
    pub(super) why: String,
    /// The author's reason.
    pub(super) excuse: Option<String>,
}

impl Report {
    /// What is wrong with the driver, each once.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// The operations that no act had in flight at an unplug, except those that the author gave a reason for.
    pub fn not_tried(&self) -> impl Iterator<Item = &str> {
        self.not_tried.iter().filter(|not| not.excuse.is_none()).map(|not| &*not.what)
    }

    /// Fails the test if something is wrong, or if an operation was not tried and the author gave no reason.
    ///
    /// # Panics
    /// Then. The message is this report.
    #[track_caller]
    pub fn assert(&self) {
        assert!(self.findings.is_empty() && self.not_tried().next().is_none(), "the driver fails\n{self}");
    }

    /// A finding is noted once: further scenarios that show it are not told apart.
    pub(super) fn find(&mut self, finding: Finding) {
        if !self.findings.iter().any(|known| known.problem == finding.problem) {
            self.findings.push(finding);
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = |of: fn(&Row) -> &str, least: usize| {
            self.rows.iter().map(|row| of(row).chars().count()).max().unwrap_or(0).max(least)
        };
        let scenario = width(|row| &row.scenario, "scenario".len());
        let load = width(|row| &row.load, "in flight".len());
        let time = |time: Option<Duration>| time.map_or_else(|| "-".into(), |time| format!("{time:.1?}"));
        writeln!(f, "  {:scenario$}  {:load$}  {:>9}  {:>9}  answers", "scenario", "in flight", "last", "removed")?;
        for row in &self.rows {
            let mark = if row.is_bad { '!' } else { ' ' };
            let (worst, removal) = (time(row.worst), time(row.removal));
            let Row { scenario: name, load: with, answers, .. } = row;
            writeln!(f, "{mark} {name:scenario$}  {with:load$}  {worst:>9}  {removal:>9}  {answers}")?;
        }
        writeln!(f, "{} scenarios in {:.1?}", self.rows.len(), self.took)?;
        for NotTried { op, what, why, excuse } in &self.not_tried {
            match excuse {
                Some(excuse) => writeln!(f, "not tried: {what}: {excuse}")?,
                None => writeln!(
                    f,
                    "not tried: {what}: {why}\n  help: add an `.act(..)` that calls it, or say why not: `.not_tried({op:?}, \"..\")`"
                )?,
            }
        }
        for (number, finding) in (1..).zip(&self.findings) {
            writeln!(f, "{number}. {finding}")?;
        }
        if !self.findings.is_empty()
            && let Some(test) = &self.test
        {
            let seed = self.seed.map_or_else(String::new, |seed| format!("FOPS_SEED={seed} "));
            writeln!(f, "again: {seed}cargo test {test}")?;
        }
        Ok(())
    }
}
