//! vipd: a VRRP daemon for small routers.

pub mod config;
pub mod limits;
pub mod time;
pub mod vrrp;
