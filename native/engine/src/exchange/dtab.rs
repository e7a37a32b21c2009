//! Linkerd 1's override of a request's way: `l5d-dtab: /svc/reviews => /cluster/reviews-v2`.
//!
//! A request for the host NAME is for `/svc/NAME`. The last entry whose prefix that begins with replaces the prefix, and so
//! on, until `/cluster/NAME` or `/route/NAME` is reached. Of alternatives (`|`) the first that exists is taken. A request
//! that no entry is about goes its usual way; one that is sent where nothing is, fails.

use crate::error::{Error, Kind};
use crate::exchange::ongoing::Ongoing;
use crate::exchange::overrides::DTAB;
use crate::snapshot::Generation;
use crate::telemetry::record::Mark;
use crate::upstream::attempt::Answered;

/// The header that asks where a request went.
const ADD_CONTEXT: &[u8] = b"l5d-add-context";

/// Rewrites of one name; more is a circle.
const MAX_STEPS: u32 = 16;

/// Where a request is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Route(u16),
    Cluster(u16),
    /// No entry is about it.
    Unsaid,
    /// To something that is not there.
    Nowhere,
}

/// Follows the override of a request, where its listener believes its caller.
#[inline]
pub fn follow(exchange: &mut Ongoing<'_>) -> Result<(), Error> {
    let overrides = &exchange.view.listener().overrides;
    if overrides.dtab && overrides.trusted { read(exchange) } else { Ok(()) }
}

fn read(exchange: &mut Ongoing<'_>) -> Result<(), Error> {
    exchange.context_asked = exchange.head.find(ADD_CONTEXT).is_some_and(|value| value.eq_ignore_ascii_case(b"true"));
    let Some(dtab) = exchange.head.find(DTAB) else { return Ok(()) };
    let refused = |detail| Error::new(Kind::Override, detail);
    let dtab = std::str::from_utf8(dtab).map_err(|_| refused("the `l5d-dtab` of the request is not text"))?;
    let entries = entries(dtab).ok_or(refused("the `l5d-dtab` of the request cannot be read"))?;
    let host = String::from_utf8_lossy(exchange.head.text(exchange.head.host)).into_owned();
    match resolve(&entries, &format!("/svc/{host}"), &exchange.view.generation, MAX_STEPS) {
        Sent::Route(route) => exchange.outside.choice.route = Some(route),
        Sent::Cluster(cluster) => exchange.outside.choice.cluster = Some(cluster),
        Sent::Unsaid => return Ok(()),
        Sent::Nowhere => return Err(refused("the `l5d-dtab` of the request names what is not there")),
    }
    exchange.account.mark(Mark::Overridden);
    Ok(())
}

/// Pairs of a prefix and the alternatives for it; `None`: that is no dtab.
fn entries<'a>(dtab: &'a str) -> Option<Vec<(&'a str, Vec<&'a str>)>> {
    let texts = dtab.split(';').map(str::trim).filter(|text| !text.is_empty());
    let entry = |text: &'a str| {
        let (prefix, to) = text.split_once("=>")?;
        let (prefix, to) = (prefix.trim(), to.trim());
        (prefix.starts_with('/') && to.starts_with('/')).then(|| (prefix, to.split('|').map(str::trim).collect()))
    };
    texts.map(entry).collect()
}

fn resolve(entries: &[(&str, Vec<&str>)], path: &str, generation: &Generation, steps: u32) -> Sent {
    if let Some(name) = path.strip_prefix("/cluster/") {
        return generation.cluster_named(name.as_bytes()).map_or(Sent::Nowhere, Sent::Cluster);
    }
    if let Some(name) = path.strip_prefix("/route/") {
        return generation.route_named(name.as_bytes()).map_or(Sent::Nowhere, Sent::Route);
    }
    let taken = entries.iter().rev().find_map(|(prefix, to)| Some((behind(path, prefix)?, to)));
    let Some((rest, alternatives)) = taken.filter(|_| steps > 0) else {
        return if steps == MAX_STEPS { Sent::Unsaid } else { Sent::Nowhere };
    };
    let mut tried = alternatives.iter().map(|to| resolve(entries, &format!("{to}{rest}"), generation, steps - 1));
    tried.find(|sent| !matches!(sent, Sent::Nowhere | Sent::Unsaid)).unwrap_or(Sent::Nowhere)
}

/// What of a path stands behind a prefix; `*` in it stands for any one element.
fn behind<'a>(path: &'a str, prefix: &str) -> Option<&'a str> {
    let mut rest = path;
    for element in prefix.trim_end_matches('/').split('/').skip(1) {
        rest = rest.strip_prefix('/')?;
        let end = rest.find('/').unwrap_or(rest.len());
        let (own, behind) = rest.split_at(end);
        if element != "*" && element != own {
            return None;
        }
        rest = behind;
    }
    Some(rest)
}

/// Tells who asked for it where the request went.
pub fn tell(exchange: &Ongoing<'_>, cluster: &str, answered: &mut Answered) {
    if !exchange.context_asked {
        return;
    }
    let service = [b"/svc/", exchange.head.text(exchange.head.host)].concat();
    let client = format!("/cluster/{cluster}/{}", answered.upstream.endpoint.name);
    let head = &mut answered.answer.head;
    // A name that could not stand in a head is left out.
    let _written = head.append(b"l5d-dst-service", &service) && head.append(b"l5d-dst-client", client.as_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_prefix_is_matched_by_element_and_a_star_is_any_one() {
        assert_eq!(behind("/svc/reviews", "/svc/reviews"), Some(""));
        assert_eq!(behind("/svc/reviews", "/svc"), Some("/reviews"));
        assert_eq!(behind("/svc/reviews", "/svc/rev"), None);
        assert_eq!(behind("/svc/reviews/x", "/svc/*"), Some("/x"));
        assert_eq!(behind("/svc", "/svc/reviews"), None);
    }

    #[test]
    fn entries_are_separated_by_semicolons_and_have_alternatives() {
        let read = entries(" /svc/a => /cluster/b | /cluster/c ; /svc=>/route;").unwrap();
        assert_eq!(read, [("/svc/a", vec!["/cluster/b", "/cluster/c"]), ("/svc", vec!["/route"])]);
        assert_eq!(entries(""), Some(vec![]));
        for wrong in ["/a", "a => /b", "/a =>", "=> /b"] {
            assert_eq!(entries(wrong), None, "{wrong}");
        }
    }
}
