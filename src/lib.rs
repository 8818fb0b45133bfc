//! vipd: a VRRP daemon for small routers.

pub mod config;
pub mod time;
pub mod vrrp;
