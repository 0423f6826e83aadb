//! `kelpgate iam apply` and `kelpgate iam diff`: a running gateway's IAM state and a tree of files.

use std::path::Path;

use transfer::Refused;
use transfer::tree::{Plan, Tree};

use super::{Outcome, remote, tree_files};
use crate::api::Gateway;
use crate::arguments::{IamApply, IamDiff};

/// How often a plan is made again because someone else changes the same state.
const ATTEMPTS: usize = 5;

/// Shows what an apply would do; says whether something differs.
pub async fn diff(arguments: IamDiff) -> Result<Outcome, String> {
    let tree = tree_files::read(&arguments.tree)?;
    let plan = plan(&arguments.gateway, &tree, arguments.prune).await?;
    print(&plan, arguments.prune);
    if !plan.refused.is_empty() {
        return Ok(Outcome::Failed);
    }
    Ok(if plan.is_empty() { Outcome::Done } else { Outcome::Differs })
}

/// Makes the gateway's state that of the tree.
pub async fn apply(arguments: IamApply) -> Result<Outcome, String> {
    let IamDiff { tree, prune, gateway } = &arguments.what;
    let tree = tree_files::read(tree)?;
    let shown = plan(gateway, &tree, *prune).await?;
    print(&shown, *prune);
    if !shown.refused.is_empty() {
        say!("nothing was changed; correct what is refused");
        return Ok(Outcome::Failed);
    }
    if let Some(approved) = arguments.plan.as_ref().filter(|approved| **approved != shown.id()) {
        return Err(format!(
            "the plan is {} now, not {approved}: the tree or the gateway has changed since; nothing was changed. Look at the plan above, and \
             name its id",
            shown.id()
        ));
    }
    let mut done = 0;
    let mut now = shown.clone();
    for _ in 0..ATTEMPTS {
        match run(gateway, &now, &mut done).await? {
            Some(stale) => tracing::debug!("{stale}: the plan is made again"),
            None if now.steps.is_empty() => break,
            None => {}
        }
        now = plan(gateway, &tree, *prune).await?;
        // Only what was shown is done.
        let new = now.steps.iter().find(|step| !shown.steps.iter().any(|known| known.call == step.call));
        if let Some(step) = new {
            say!("changed: {done}");
            return Err(format!(
                "the state was changed by someone else meanwhile, so that now `{} {}` is needed, which is not in the plan; run it again",
                step.word, step.what
            ));
        }
        if now.steps.is_empty() {
            break;
        }
    }
    say!("changed: {done}");
    if !now.steps.is_empty() {
        return Err("someone else keeps changing the same state; run it again when they are done".to_owned());
    }
    Ok(Outcome::Done)
}

async fn plan(gateway: &Gateway, tree: &Tree, prune: bool) -> Result<Plan, String> {
    let found = remote::read(gateway, prune.then_some(tree)).await?;
    Ok(tree.plan(&found, prune))
}

/// Makes the calls of a plan, each after the one before it is in force at every gateway. Stops at one that shows that the
/// state is no longer what the plan was made for, and says so.
async fn run(gateway: &Gateway, plan: &Plan, done: &mut usize) -> Result<Option<String>, String> {
    for step in &plan.steps {
        match remote::call(gateway, &step.call).await {
            Ok(()) => *done += 1,
            Err(failed) if failed.is_stale() => return Ok(Some(String::from(failed))),
            Err(failed) => {
                return Err(format!(
                    "{} {}: {}; the {done} steps before it are done, so correct this and apply again",
                    step.word,
                    step.what,
                    String::from(failed)
                ));
            }
        }
    }
    Ok(None)
}

fn print(plan: &Plan, prune: bool) {
    for step in &plan.steps {
        say!("{:<10} {}", step.word, step.what);
    }
    for what in &plan.extra {
        say!("{:<10} {what}: it is not in the tree; -prune deletes it", "extra");
    }
    for Refused { what, why } in &plan.refused {
        say!("{:<10} {what}: {why}", "refused");
    }
    let (steps, refused) = (plan.steps.len(), plan.refused.len());
    let extra = if prune { String::new() } else { format!(", {} extra", plan.extra.len()) };
    say!("plan {}: {steps} to change{extra}, {refused} refused", plan.id());
}

/// Reads the state of a running gateway as a tree, and writes it to a directory.
pub async fn export(gateway: &Gateway, directory: &Path) -> Result<(), String> {
    let found = remote::read(gateway, None).await?;
    tree_files::write(directory, &found.tree)?;
    for (kind, name) in &found.of_files {
        eprintln!("kelpgate: left out: `{}/{name}`, which a file of the gateways defines", kind.directory());
    }
    Ok(())
}
