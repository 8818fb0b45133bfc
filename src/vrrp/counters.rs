//! What a virtual router has sent, heard and dropped since the start.

use super::drop::DropReason;

/// One number for each [`DropReason`].
#[derive(Clone, Debug)]
pub struct Drops([u32; DropReason::COUNT]);

impl Default for Drops {
    fn default() -> Self {
        Self([0; DropReason::COUNT])
    }
}

impl Drops {
    /// Counts one frame; stays at the top instead of starting again at 0.
    pub fn count(&mut self, reason: DropReason) {
        let counter = &mut self.0[reason as usize];
        *counter = counter.saturating_add(1);
    }

    /// How many frames were dropped for this reason.
    pub fn get(&self, reason: DropReason) -> u32 {
        self.0[reason as usize]
    }

    /// The reasons that have occurred, with their numbers.
    pub fn occurred(&self) -> impl Iterator<Item = (DropReason, u32)> + '_ {
        DropReason::ALL
            .iter()
            .map(|r| (*r, self.get(*r)))
            .filter(|(_, n)| *n > 0)
    }
}

/// The counters of one instance.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Adverts sent, without those of priority 0.
    pub sent: u64,
    /// Adverts accepted.
    pub received: u64,
    /// Priority 0 adverts sent.
    pub priority_zero_sent: u32,
    /// Priority 0 adverts accepted.
    pub priority_zero_received: u32,
    /// Times it became Active.
    pub became_active: u32,
    /// Times that somebody else removed an address of ours.
    pub addresses_lost: u32,
    /// Frames for its VRID that were dropped.
    pub drops: Drops,
}
