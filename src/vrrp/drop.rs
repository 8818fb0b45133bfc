//! Why a received frame was not believed. One row a reason: the rule, its source, the remedy.

macro_rules! drop_reasons {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $remedy:literal;)+) => {
        /// Why a received frame was dropped. Counted, never propagated.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        #[repr(u8)]
        pub enum DropReason {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl DropReason {
            /// Every reason, in the order of the ladder.
            pub const ALL: &[Self] = &[$(Self::$variant,)+];
            /// How many reasons there are.
            pub const COUNT: usize = Self::ALL.len();

            /// The stable name: in counters, logs and JSON.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)+
                }
            }

            /// What the operator can do about it: the end of the one warning.
            pub const fn remedy(self) -> &'static str {
                match self {
                    $(Self::$variant => $remedy,)+
                }
            }
        }
    };
}

drop_reasons! {
    /// Not addressed to this interface: another host's unicast, a frame of an unknown VLAN or of
    /// a macvlan child (packet(7): PACKET_OTHERHOST, `sll_ifindex`).
    Elsewhere = "elsewhere",
        "nothing to do, unless this router should have heard it: then look at the VLANs of the port";
    /// Shorter than its Ethernet or IP header says.
    FrameTruncated = "frame-truncated",
        "look for a broken network card or cable at the sender";
    /// RFC 791 §3.1, RFC 8200 §3: another version than the frame says, or an impossible header length.
    IpHeader = "ip-header",
        "look for a broken sender; adverts are plain IP packets";
    /// RFC 791 §3.1: the IP header's checksum does not fit.
    IpChecksum = "ip-checksum",
        "look for a network card with broken checksum offload at the sender";
    /// An IP fragment. An advert fits into one packet (RFC 9568 §5.1).
    Fragment = "fragment",
        "give the sender fewer virtual addresses or a larger MTU";
    /// The protocol is not 112 (RFC 9568 §5.1.1.4).
    NotVrrp = "not-vrrp",
        "nothing to do";
    /// Not sent to the VRRP multicast group (RFC 9568 §5.1.1.2), or with unicast not to us.
    Destination = "destination",
        "give both routers the same vrrp_mcast_group4, or the same unicast setting";
    /// The source is one of our own addresses: an echo, a loop, or a host with our address.
    OwnAdvert = "own-advert",
        "look for a switching loop, or another router with this router's own address";
    /// RFC 9568 §5.1.2.1: the source of an IPv6 advert to the group is a link-local address.
    Source = "source",
        "have the sender use its link-local address: look at its `mcast_src_ip`";
    /// RFC 9568 §7.1: the TTL or Hop Limit must be 255; from a `unicast_peer`, within its bounds.
    Ttl = "ttl",
        "multicast adverts come from the same link with TTL 255, a peer's with what min_ttl and max_ttl allow: \
         look for a router that forwards them, or an attack";
    /// `check_unicast_src`: the sender is not a `unicast_peer`.
    NotPeer = "not-peer",
        "add the sender to `unicast_peer`, or look who it is";
    /// RFC 9568 §7.1: shorter than the message's own fields say.
    Truncated = "truncated",
        "look for a broken sender";
    /// RFC 9568 §7.1: neither version 2 nor 3.
    UnknownVersion = "unknown-version",
        "only VRRP version 2 and 3 exist: look for a broken sender";
    /// RFC 9568 §5.2.2: the type must be 1.
    UnknownType = "unknown-type",
        "only adverts (type 1) exist: look for a broken sender";
    /// RFC 9568 §7.1: the checksum does not fit in any form that is in use.
    Checksum = "checksum",
        "look for a broken sender or a middlebox that rewrites adverts";
    /// RFC 9568 §7.1: no instance of this interface has the VRID.
    UnknownVrid = "unknown-vrid",
        "nothing to do if the VRID is another pair's";
    /// RFC 9568 §7.1: the version is not the instance's.
    VersionMismatch = "version-mismatch",
        "give both routers the same `version`";
    /// RFC 9568 §5.2.5, erratum 8299: an advert carries at least one address.
    NoAddress = "no-address",
        "give the sender at least one virtual address";
    /// RFC 9568 §5.2.7, erratum 8301: the Max Advertise Interval must not be 0.
    ZeroInterval = "zero-interval",
        "give the sender an advert_int of 10 ms or more";
    /// RFC 2338 §7.1: the authentication type is not the instance's.
    AuthType = "auth-type",
        "give both routers the same `auth_type`";
    /// RFC 2338 §7.1: the password is not the instance's.
    AuthData = "auth-data",
        "give both routers the same `auth_pass` (only its first 8 bytes count)";
    /// RFC 3768 §7.1: a v2 advert's interval must be the instance's.
    IntervalMismatch = "interval-mismatch",
        "give both routers the same `advert_int`, as version 2 demands";
    /// The instance is in Initialize and hears nothing (RFC 9568 §6.4.1).
    NotRunning = "not-running",
        "see the instance's own reason for not running";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_indexes_dense() {
        for (index, reason) in DropReason::ALL.iter().enumerate() {
            assert_eq!(*reason as usize, index);
            assert!(
                !DropReason::ALL[..index]
                    .iter()
                    .any(|r| r.name() == reason.name())
            );
        }
    }
}
