//! vipd: a VRRP daemon for small routers.

pub mod config;
pub mod frame;
pub mod netlink;
pub mod sys;
pub mod time;
pub mod vrrp;
