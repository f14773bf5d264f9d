//! When links fail and power is cut: one fault after the other, each of which heals.
//!
//! At most f = 1 member is down at one time besides the one that cheats, except in a split that leaves
//! no quorum: the network then stands still, and goes on when it heals.

use std::sync::Arc;

use consensus::simulated::Link;

use crate::{dice::Dice, world::Stage};

/// Makes trouble until the act ends.
pub async fn rage(stage: Arc<Stage>, mut dice: Dice) {
    loop {
        stage.sleep(dice.between(1_500, 6_000)).await;
        let place = dice.index(stage.cast.count());
        match dice.below(5) {
            0 => {
                stage.watch.say(format!("chaos: power cut at {place}"));
                stage.stop(place).await;
                stage.sleep(dice.between(500, 4_000)).await;
                stage.start(place).await;
            }
            1 => {
                stage.watch.say(format!("chaos: {place} is cut off"));
                stage.cut_off(&[place]).await;
                stage.sleep(dice.between(1_000, 5_000)).await;
                stage.connect().await;
            }
            2 => {
                stage.watch.say("chaos: the network is split in half".to_owned());
                stage.cut_off(&[place, (place + 1) % stage.cast.count()]).await;
                stage.sleep(dice.between(1_000, 5_000)).await;
                stage.connect().await;
            }
            3 => {
                stage.watch.say("chaos: lossy links".to_owned());
                stage.link(bad_link(&mut dice)).await;
                stage.sleep(dice.between(2_000, 6_000)).await;
                stage.connect().await;
            }
            _ => {
                stage.watch.say("chaos: slow links".to_owned());
                stage.link(Link { latency_ms: 200, jitter_ms: 80, loss_percent: 0 }).await;
                stage.sleep(dice.between(2_000, 6_000)).await;
                stage.connect().await;
            }
        }
    }
}

fn bad_link(dice: &mut Dice) -> Link {
    let loss_percent = 5 + dice.below(20) as u8;
    Link { latency_ms: 30, jitter_ms: 15, loss_percent }
}
