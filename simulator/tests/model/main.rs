//! Models of protocol rules, searched exhaustively within small bounds: every state that any order of events can reach.
//!
//! The director runs the real cores along thousands of random roads; a model leaves the code out and walks all roads of a tiny cluster
//! (three copies, two of which are a quorum, as four of six are). Each wrong variant of a rule must have a road to disaster
//! here as well: the search finds the shortest.

mod leases;
mod truncation;

use stateright::{Checker, HasDiscoveries, Model};

/// Searches all of `model`. `Ok`: no property broken, states seen. `Err`: the property broken, and after how many steps.
fn search<M>(model: M) -> Result<usize, (&'static str, usize)>
where
    M: Model + Send + Sync + 'static,
    M::State: std::hash::Hash + std::fmt::Debug + Send + Sync + Clone + PartialEq,
    M::Action: std::fmt::Debug + Clone + PartialEq,
{
    let checker = model.checker().finish_when(HasDiscoveries::AnyFailures).spawn_bfs().join();
    let broken = checker.discoveries().into_iter().find(|(name, _)| name.starts_with("never"));
    match broken {
        Some((name, path)) => Err((name, path.into_actions().len())),
        None => Ok(checker.unique_state_count()),
    }
}
