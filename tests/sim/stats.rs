//! How often each fault and each event occurred: a simulation that does nothing finds nothing.

macro_rules! stats {
    ($($name:ident),+ $(,)?) => {
        /// Totals of one world, or of all.
        #[derive(Clone, Debug, Default)]
        pub struct Stats {
            $(pub $name: u64,)+
        }

        impl Stats {
            pub fn add(&mut self, other: &Self) {
                $(self.$name += other.$name;)+
            }

            /// Each with its name.
            pub fn all(&self) -> Vec<(&'static str, u64)> {
                vec![$((stringify!($name), self.$name),)+]
            }
        }
    };
}

stats! {
    adverts,
    unicast_adverts,
    lost,
    duplicated,
    reordered,
    partitions,
    one_way_partitions,
    crashes,
    restarts,
    clean_stops,
    links_down,
    interfaces_gone,
    addresses_gone,
    stalls,
    addresses_deleted,
    forged_adverts,
    forged_releases,
    garbage,
    garbage_dropped,
    accepted,
    takeovers,
    takeovers_after_silence,
    takeovers_after_release,
    preemptions,
    delayed_preemptions,
    yields_to_priority,
    yields_to_address,
    yields_after_stall,
    restorations,
    warnings,
    checked_crashes,
    checked_stops,
    checked_links,
    checked_deletions,
    checked_restarts,
    checked_stalls,
    settled_groups,
    misconfigured_groups,
    v2_groups,
    ipv6_groups,
    message_checksums,
    pseudo_header_checksums,
    virtual_seconds,
}
