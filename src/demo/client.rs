//! The client: pings the virtual address all the time, and says whom its ARP table believes in.

use core::net::Ipv4Addr;

use super::pings::Pings;
use crate::sys::Error;
use crate::sys::ping::PingSocket;
use crate::time::{Duration, Instant};

/// The time between two pings.
pub(super) const PING_INTERVAL: Duration = Duration::from_millis(20);

/// Lives in the network namespace of the thread that makes it.
#[derive(Debug)]
pub(super) struct Client {
    /// To be polled: readable when an answer is there.
    pub(super) socket: PingSocket,
    /// What became of the pings.
    pub(super) pings: Pings,
    target: Ipv4Addr,
}

impl Client {
    /// A client that pings `target`.
    pub(super) fn new(target: Ipv4Addr) -> Result<Self, Error> {
        Ok(Self {
            // The low half of the process id tells our answers from others', as ping(8) does.
            socket: PingSocket::open(std::process::id() as u16)?,
            pings: Pings::default(),
            target,
        })
    }

    /// Sends the next ping.
    pub(super) fn ping(&mut self) -> Result<(), Error> {
        self.socket.send(self.target, self.pings.next())
    }

    /// Takes the answers that wait.
    pub(super) fn listen(&mut self, now: Instant) -> Result<(), Error> {
        while let Some(sequence) = self.socket.receive(self.target)? {
            self.pings.answer(sequence, now);
        }
        Ok(())
    }

    /// The MAC address of the target in the ARP table of the calling thread's namespace.
    pub(super) fn arp_entry(&self) -> Option<[u8; 6]> {
        let table = std::fs::read_to_string("/proc/thread-self/net/arp").ok()?;
        arp_entry(&table, self.target)
    }
}

/// Looks `address` up in the text of /proc/net/arp: address, hardware type, flags, MAC address, ….
fn arp_entry(table: &str, address: Ipv4Addr) -> Option<[u8; 6]> {
    let address = address.to_string();
    let mut words = table
        .lines()
        .map(str::split_ascii_whitespace)
        .find_map(|mut words| (words.next() == Some(&address)).then_some(words))?;
    let flags = words.nth(1)?;
    let mut bytes = words.next()?.split(':');
    let mut mac = [0; 6];
    for byte in &mut mac {
        *byte = u8::from_str_radix(bytes.next()?, 16).ok()?;
    }
    // Without ATF_COM the entry still waits for an answer.
    (flags != "0x0").then_some(mac)
}

#[cfg(test)]
mod tests {
    use super::*;

    const VIP: Ipv4Addr = Ipv4Addr::new(10, 10, 201, 101);

    #[test]
    fn the_arp_table_as_the_kernel_writes_it() {
        let table = "IP address       HW type     Flags       HW address            Mask     Device\n\
                     10.10.201.10     0x1         0x2         02:00:0a:0a:c9:0a     *        ens160\n\
                     10.10.201.101    0x1         0x2         02:00:0a:0a:c9:66     *        ens160\n";
        assert_eq!(arp_entry(table, VIP), Some([2, 0, 10, 10, 201, 0x66]));
        assert_eq!(arp_entry(&table.replace("0x2", "0x0"), VIP), None);
        assert_eq!(arp_entry(table, Ipv4Addr::new(10, 10, 201, 1)), None);
    }
}
