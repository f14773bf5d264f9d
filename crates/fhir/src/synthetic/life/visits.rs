//! When a person sees whom, and why.

use super::ailments::Ailment;
use super::therapies::Therapy;
use super::who::{Who, any_hour, office_hour};
use super::{Visit, VisitKind, Window};
use crate::synthetic::day::{Day, Moment};
use crate::synthetic::facts::conditions::{Care, Course, Illness};
use crate::synthetic::facts::medications::Drug;
use crate::synthetic::facts::places::STAFF;
use crate::synthetic::facts::procedures::OPERATIONS;
use crate::synthetic::random::Random;

/// What visits follow from.
pub(super) struct Story<'a> {
    pub who: &'a Who,
    /// How many hospitals know the person.
    pub sites: usize,
    pub ailments: &'a [Ailment],
    pub therapies: &'a [Therapy],
}

/// The visits of the window in the order of time: the newest `most`, and at least one per site.
pub(super) fn plan(random: &Random, story: &Story<'_>, window: Window, most: usize) -> Vec<Visit> {
    let mut planner = Planner { story, window, intakes: Vec::new(), visits: Vec::new() };
    planner.intakes(&mut random.fork("intakes"));
    planner.routine(&mut random.fork("routine"));
    planner.laboratory(&mut random.fork("laboratory"));
    for (place, ailment) in story.ailments.iter().enumerate() {
        let mut draw = random.fork("ailments").fork_number(place as u64);
        if ailment.illness == Illness::Pregnancy {
            planner.pregnancy(&mut draw, ailment);
        } else {
            planner.ailment(&mut draw, ailment);
            planner.operations(&mut draw, ailment);
        }
    }
    let mut visits = planner.visits;
    visits.sort_by_key(|visit| (visit.at, visit.site));
    newest(visits, story.sites, most)
}

struct Planner<'a> {
    story: &'a Story<'a>,
    window: Window,
    /// The day of the first visit at each site; the home was there before.
    intakes: Vec<Day>,
    visits: Vec<Visit>,
}

impl Planner<'_> {
    /// Adds a visit if it and its results, which take two hours more, lie within the window.
    fn add(&mut self, random: &mut Random, visit: Visit) {
        let staff = random.below(STAFF.len() as u32) as usize;
        let last = visit.at.plus(visit.minutes + 120).day;
        if self.window.contains(visit.at.day) && self.window.contains(last) {
            self.visits.push(Visit { staff, ..visit });
        }
    }

    fn intakes(&mut self, random: &mut Random) {
        self.intakes.push(self.window.since);
        let days = self.window.today.days_since(self.window.since);
        for site in 1..self.story.sites {
            let day = self.window.today.plus(-random.between(days / 20, days * 3 / 4));
            self.intakes.push(day);
            let at = office_hour(random, day);
            self.add(random, visit(site, at, 40, VisitKind::Intake, None));
        }
    }

    /// The home, or with this chance in a thousand another site that already knows the person.
    fn site(&self, random: &mut Random, day: Day, permille: u32) -> usize {
        let known: Vec<usize> =
            (1..self.story.sites).filter(|site| self.intakes[*site] < day).collect();
        if known.is_empty() || !random.chance(permille) { 0 } else { random.pick(&known) }
    }

    /// Check-ups, more often for children, the old, and those with something to be followed.
    fn routine(&mut self, random: &mut Random) {
        let mut day = self.window.since.plus(random.between(5, 60));
        let mut turn = 0;
        while day <= self.window.today {
            let followed = self.followed(day);
            let reason = (!followed.is_empty()).then(|| followed[turn % followed.len()]);
            let interval = match followed.iter().map(|illness| illness.facts().follow_up_days).min()
            {
                Some(days) => i32::from(days),
                None => unfollowed_interval(self.story.who.age(day)),
            };
            let kind = if reason.is_some() { VisitKind::FollowUp } else { VisitKind::CheckUp };
            // A specialist elsewhere sees some of those who need following.
            let site = self.site(random, day, if reason.is_some() { 220 } else { 0 });
            let at = office_hour(random, day);
            let minutes = random.between(3, 6) * 5;
            self.add(random, Visit { reason, ..visit(site, at, minutes, kind, None) });
            day = day.plus(interval + random.between(-interval / 8, interval / 8));
            turn += 1;
        }
    }

    /// Lasting conditions that ask for visits.
    fn followed(&self, day: Day) -> Vec<Illness> {
        let active =
            self.story.ailments.iter().filter(|one| one.is_lasting() && one.is_active(day));
        active.map(|one| one.illness).filter(|illness| illness.facts().follow_up_days > 0).collect()
    }

    /// Who takes warfarin has the clotting checked every two months.
    fn laboratory(&mut self, random: &mut Random) {
        let warfarin = self.story.therapies.iter().filter(|one| one.drug == Drug::Warfarin);
        for therapy in warfarin {
            let mut day = therapy.start.plus(7);
            while therapy.is_active(day) && day <= self.window.today {
                let at = Moment { day, minute: 480 + random.between(0, 20) };
                let reason = Some(therapy.reason);
                self.add(random, visit(0, at, 10, VisitKind::Laboratory, reason));
                day = day.plus(random.between(50, 66));
            }
        }
    }

    /// The visit at which an ailment is found.
    fn ailment(&mut self, random: &mut Random, ailment: &Ailment) {
        let day = ailment.onset.plus(random.between(0, 2));
        let (kind, minutes, elsewhere) = match ailment.illness.facts().course {
            Course::Lasting | Course::Passing { care: Care::Clinic, .. } => {
                (VisitKind::Acute, random.between(3, 5) * 5, 60)
            }
            Course::Passing { care: Care::Emergency, .. } => {
                (VisitKind::Emergency, random.between(60, 300), 450)
            }
            Course::Passing { care: Care::Ward(least, most), .. } => {
                let days = random.between(least.into(), most.into());
                (VisitKind::Ward, days * 1440 - random.between(0, 400), 350)
            }
        };
        let site = self.site(random, day, elsewhere);
        let at =
            if kind == VisitKind::Acute { office_hour(random, day) } else { any_hour(random, day) };
        self.add(random, visit(site, at, minutes, kind, Some(ailment.illness)));
    }

    fn pregnancy(&mut self, random: &mut Random, ailment: &Ailment) {
        for days in [60, 110, 160, 210, 245] {
            let day = ailment.onset.plus(days + random.between(-5, 5));
            let at = office_hour(random, day);
            self.add(random, visit(0, at, 25, VisitKind::Prenatal, Some(ailment.illness)));
        }
        if let Some(end) = ailment.end {
            let at = any_hour(random, end);
            let minutes = random.between(2, 4) * 1440;
            self.add(random, visit(0, at, minutes, VisitKind::Ward, Some(ailment.illness)));
        }
    }

    /// Procedures that are done on a day of their own.
    fn operations(&mut self, random: &mut Random, ailment: &Ailment) {
        for facts in OPERATIONS.iter().filter(|facts| facts.illness == ailment.illness) {
            let (least, most) = facts.delay_days;
            let day = ailment.onset.plus(random.between(least.into(), most.into()));
            let done = random.chance(u32::from(facts.percent) * 10);
            let site = self.site(random, day, 300);
            let at = office_hour(random, day);
            if done && most > 0 {
                let minutes = random.between(30, 200);
                self.add(
                    random,
                    visit(site, at, minutes, VisitKind::Operation, Some(ailment.illness)),
                );
            }
        }
    }
}

fn visit(site: usize, at: Moment, minutes: i32, kind: VisitKind, reason: Option<Illness>) -> Visit {
    Visit { site, at, minutes, kind, reason, staff: 0 }
}

/// Days between check-ups of people with nothing to be followed.
fn unfollowed_interval(age: f64) -> i32 {
    match age {
        ..1.0 => 80,
        ..2.0 => 120,
        ..20.0 => 330,
        ..50.0 => 420,
        _ => 330,
    }
}

/// The newest visits, keeping one visit for every site whatever the limit says.
fn newest(visits: Vec<Visit>, sites: usize, most: usize) -> Vec<Visit> {
    let kept_for_site: Vec<Option<usize>> =
        (0..sites).map(|site| visits.iter().rposition(|visit| visit.site == site)).collect();
    let first_kept = visits.len().saturating_sub(most);
    let kept = |place: usize| place >= first_kept || kept_for_site.contains(&Some(place));
    visits
        .into_iter()
        .enumerate()
        .filter(|(place, _)| kept(*place))
        .map(|(_, visit)| visit)
        .collect()
}
