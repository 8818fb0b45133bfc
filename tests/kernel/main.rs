//! The layers `netlink` and `sys` against the real kernel, in network namespaces of their own.
//! Root only: without it every test here fails and says so.
#![allow(clippy::unwrap_used)]

mod addresses;
mod ipv6;
mod lab;
mod links;
mod nft;
mod packets;
mod processes;
mod rights;
mod routes;
