//! The answers to what the control socket asks.

use core::fmt::{self, Display};
use std::io::Write;

use crate::control::json::Json;
use crate::control::request::{Code, Form, Refusal, Request, Shown};
use crate::control::server::{Asked, Control, Question};
use crate::time::Instant;

use super::Daemon;
use super::reload::Refused;
use super::status::View;

/// Names of instances in a message.
const NAMES: usize = 8;

impl Daemon {
    /// One piece of work for one client.
    pub(super) fn serve_control(&mut self, now: Instant) {
        if !self.control.has_work(&self.poll, now) {
            return;
        }
        self.relist = true;
        let Some(Asked { client, question }) = self.control.serve(&self.poll, now) else {
            return;
        };
        match question {
            Question::Request(Request::Status(form, name)) => {
                self.status(client, form, name.as_deref(), now);
            }
            Question::Request(Request::Reload) => match self.reload_and_log(now) {
                Ok(outcome) => self.control.answer(client, &outcome),
                Err(refused) => self.control.refuse(client, &refusal(&refused)),
            },
            Question::Instance(form, index) => self.status_of(client, form, index, now),
        }
    }

    fn status(&mut self, client: usize, form: Form, name: Option<&str>, now: Instant) {
        let (control, view) = self.control_and_view(now);
        let instances = match name.map(|name| (name, view.find(name))) {
            None => 0..view.config.instances.len(),
            Some((_, Some(index))) => index..index + 1,
            Some((name, None)) => return control.refuse(client, &unknown(name, &view)),
        };
        control.begin(client, form, instances, |text| {
            render(form, &view.head(), text)
        });
    }

    fn status_of(&mut self, client: usize, form: Form, index: usize, now: Instant) {
        let (control, view) = self.control_and_view(now);
        match view.instance(index) {
            Some(instance) => {
                control.instance(client, |text| render(form, &instance, text));
            }
            None => control.cut_off(),
        }
    }

    fn control_and_view(&mut self, now: Instant) -> (&mut Control, View<'_>) {
        let view = View {
            config: &self.config,
            router: &self.router,
            links: &self.links,
            link_of: &self.link_of,
            addresses: &self.executor.addresses,
            routes: &self.executor.routes,
            vmacs: &self.executor.vmacs,
            dhcp: &self.executor.dhcp,
            ears: &self.ears,
            watches: &self.watches,
            uplinks: &self.uplinks,
            send_errors: self.executor.send_errors,
            started: self.started,
            now,
        };
        (&mut self.control, view)
    }
}

/// Neither form can fail but by what `part` says of itself.
fn render(form: Form, part: &(impl Json + Display), text: &mut Vec<u8>) -> fmt::Result {
    match form {
        Form::Json => part.write(text),
        Form::Text => write!(text, "{part}").map_err(|_| fmt::Error)?,
    }
    Ok(())
}

fn refusal(refused: &Refused) -> Refusal {
    let code = match refused {
        Refused::Config(_) => Code::Config,
        Refused::Journal(_)
        | Refused::Kernel(_)
        | Refused::Unenforceable(_)
        | Refused::Uplinks(_)
        | Refused::NoHelper
        | Refused::Stopping => Code::Failed,
    };
    Refusal::new(code, refused.to_string())
}

fn unknown(name: &str, view: &View<'_>) -> Refusal {
    let mut message = format!("no instance is called `{}`; there are:", Shown(name));
    for instance in view.config.instances.iter().take(NAMES) {
        message.push(' ');
        message.push_str(&instance.name);
    }
    match view.config.instances.len().saturating_sub(NAMES) {
        0 => {}
        more => message.push_str(&format!(" and {more} more")),
    }
    Refusal::new(Code::Instance, message)
}
