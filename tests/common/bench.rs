//! One router with one instance on a bench: inputs in, actions out, compared step by step.

use std::net::IpAddr;

use vipd::time::{Duration, Instant};
use vipd::vrrp::action::{Action, Actions, Id};
use vipd::vrrp::instance::{Event, LinkState};
use vipd::vrrp::router::{Router, Spec};
use vipd::vrrp::track::Reading;
use vipd::vrrp::types::{Family, Settings, State};
use vipd::vrrp::validate::Received;
use vipd::vrrp::wire::Repr;

use super::{GROUP, OWN, bytes, family, peer, shifted};

/// Where a row's time 0 lies: in the middle of a clock, as on a machine.
pub const T0: Instant = Instant::from_micros(1_000_000_000);
/// The one instance.
pub const ID: Id = Id(0);

/// A router with one instance, and the time.
pub struct Bench {
    pub router: Router,
    pub now: Instant,
}

impl Bench {
    /// In Initialize, since long before time 0.
    pub fn initialize(settings: Settings) -> Self {
        Self::delayed(settings, Duration::ZERO)
    }

    /// In Initialize, with a `vrrp_startup_delay` that starts at time 0.
    pub fn delayed(settings: Settings, delay: Duration) -> Self {
        let specs = vec![Spec {
            link: 0,
            settings: settings.into(),
        }];
        let now = if delay.is_zero() {
            T0 - Duration::from_secs(500)
        } else {
            T0
        };
        Self {
            router: Router::new(specs, GROUP, delay, now),
            now,
        }
    }

    /// In Backup since time 0.
    pub fn backup(settings: Settings) -> Self {
        let mut bench = Self::initialize(settings);
        bench.at(0).come_up();
        assert_eq!(bench.state(), State::Backup, "the row starts in Backup");
        bench
    }

    /// Active since time 0.
    pub fn active(settings: Settings) -> Self {
        let mut bench = Self::initialize(settings);
        bench.now = T0;
        bench.come_up();
        if bench.state() == State::Backup {
            // Come up so much earlier that the Active_Down_Timer fires at time 0.
            let down = bench.router.poll_at().since(T0);
            let settings = bench.router.instance(ID).settings().clone();
            bench = Self::initialize(settings);
            bench.now = T0 - down;
            bench.come_up();
            bench.at(0).timer();
        }
        assert_eq!(bench.state(), State::Active, "the row starts Active");
        bench
    }

    fn come_up(&mut self) {
        self.track(Reading::Up);
        let own = family::address(OWN, self.family());
        self.event(Event::Link(LinkState::Up(Some(own))));
    }

    /// The instance's family.
    pub fn family(&self) -> Family {
        self.router.instance(ID).settings().family
    }

    /// All trackers see this.
    pub fn track(&mut self, reading: Reading) -> Vec<Action> {
        self.collect(|router, now, out| router.track(ID, &|_| reading, now, out))
    }

    /// Moves the clock to so many µs after time 0.
    pub fn at(&mut self, micros: i64) -> &mut Self {
        self.now = shifted(T0, micros);
        self
    }

    /// Everything but adverts and timers.
    pub fn event(&mut self, event: Event) -> Vec<Action> {
        self.collect(|router, now, out| router.handle(ID, event, now, out))
    }

    /// Runs whatever is due.
    pub fn timer(&mut self) -> Vec<Action> {
        let mut all = Vec::new();
        let mut out = Actions::new();
        while self.router.poll(self.now, &mut out) {
            all.extend(out.iter().copied());
            out.clear();
        }
        assert!(
            self.router.poll_at() > self.now,
            "drained, yet something is due"
        );
        all
    }

    /// A peer's advert with the instance's own parameters but for these.
    pub fn advert(&mut self, from: IpAddr, priority: u8, interval: Duration) -> Vec<Action> {
        let settings = self.router.instance(ID).settings().clone();
        let repr = Repr {
            interval,
            ..peer(&settings, from, priority)
        };
        self.receive(repr.source, repr.destination, 255, &bytes(&repr))
    }

    /// Any packet.
    pub fn receive(
        &mut self,
        source: IpAddr,
        destination: IpAddr,
        ttl: u8,
        payload: &[u8],
    ) -> Vec<Action> {
        let received = Received {
            link: 0,
            source,
            destination,
            ttl,
            payload,
        };
        self.collect(|router, now, out| router.receive(&received, now, out))
    }

    /// The instance's state.
    pub fn state(&self) -> State {
        self.router.instance(ID).state()
    }

    /// The next deadline in µs after time 0; none if no timer runs.
    pub fn deadline(&self) -> Option<i64> {
        let at = self.router.instance(ID).poll_at();
        // The router may want to be called before, to see that there is nothing to do yet.
        assert!(self.router.poll_at() <= at, "the timer would be late");
        (at != Instant::NEVER).then(|| at.as_micros() as i64 - T0.as_micros() as i64)
    }

    fn collect(&mut self, act: impl FnOnce(&mut Router, Instant, &mut Actions)) -> Vec<Action> {
        let mut out = Actions::new();
        act(&mut self.router, self.now, &mut out);
        out.iter().copied().collect()
    }
}
