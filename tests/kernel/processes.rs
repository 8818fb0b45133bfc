//! News of processes, which the kernel tells in its initial namespaces only.

use std::process::Command;

use vipd::netlink::process::News;
use vipd::sys::netlink::ProcessSocket;
use vipd::sys::poll::{Interest, Poll};
use vipd::time::Duration;

use crate::lab::{in_namespace, wait_for};

/// Waits for news that `wanted` takes.
fn hear(socket: &mut ProcessSocket, wanted: impl Fn(News) -> bool) {
    let fd = std::os::fd::AsFd::as_fd(socket)
        .try_clone_to_owned()
        .unwrap();
    wait_for(&fd, || {
        let mut heard = None;
        let note = |message: vipd::netlink::parse::Message<'_>| {
            if News::parse(&message).is_some_and(&wanted) {
                heard = Some(());
            }
        };
        socket.receive(64, note).unwrap();
        heard
    });
}

/// tests/cross demands it of its machines: here may be a container.
#[test]
fn a_process_is_told_of_from_its_start_to_its_end() {
    let Ok(mut socket) = ProcessSocket::open() else {
        return;
    };
    // In a process namespace there is no answer.
    let mut poll = Poll::with_capacity(1);
    poll.add(&socket, Interest::Read);
    if poll.wait(Some(Duration::from_secs(1))).unwrap() == 0 {
        return;
    }
    hear(&mut socket, |news| news == News::Answer(0));
    let mut child = Command::new("sleep").arg("300").spawn().unwrap();
    let id = child.id();
    hear(&mut socket, |news| news == News::Changed(id));
    child.kill().unwrap();
    hear(&mut socket, |news| news == News::Ended(id));
    child.wait().unwrap();
    println!("news of processes were told");
}

#[test]
fn there_are_none_in_a_network_namespace() {
    in_namespace(|| {
        let error = ProcessSocket::open().unwrap_err();
        assert!(
            [libc::ECONNREFUSED, libc::EPERM, libc::EPROTONOSUPPORT].contains(&(error as i32)),
            "{error}"
        );
    });
}
