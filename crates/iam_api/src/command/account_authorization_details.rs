//! GetAccountAuthorizationDetails: the account's users, groups, roles and managed policies with everything that belongs
//! to them.

use std::sync::Arc;

use super::{
    Answer, Command, IamError, Outcome, Request, access_key_last_used, attachment, group, instance_profile,
    managed_policy, permissions_boundary, read, role, tags, user,
};
use crate::answer::{encoded, fragment};
use iam::{ANONYMOUS, Group, Holder, ManagedPolicy, Role, Snapshot, User};
use xml::XmlWriter;

pub(super) const COMMANDS: &[Command] = &[read("GetAccountAuthorizationDetails", get).reading_last_used()];

/// The kinds that `Filter` may name.
const KINDS: [&str; 5] = ["User", "Role", "Group", "LocalManagedPolicy", "AWSManagedPolicy"];

/// One entity of a page.
enum Detail<'a> {
    Group(&'a Arc<Group>),
    Policy(&'a Arc<ManagedPolicy>),
    Role(&'a Arc<Role>),
    User(&'a Arc<User>),
}

fn get(request: &Request<'_>, state: &Snapshot) -> Answer {
    let filter = filter(request)?;
    let wanted = |kind: &str| filter.is_empty() || filter.iter().any(|one| one == kind);
    let account = request.caller.account;
    // The marker of a page is the kind and the name, and items are in this order.
    let groups = state.groups().filter(|group| wanted("Group") && group.account == account);
    let groups = groups.map(|group| (format!("Group/{}", group.name), Detail::Group(group)));
    let policies = state.policies().filter(|policy| wanted("LocalManagedPolicy") && policy.account == Some(account));
    let is_used = |name: &str| state.attachment_count(name, account) + state.boundary_count(name, account) > 0;
    let of_aws = state.aws_managed_policies().filter(|policy| wanted("AWSManagedPolicy") && is_used(&policy.name));
    let mut policies: Vec<_> = policies.chain(of_aws).collect();
    policies.sort_by(|a, b| a.name.cmp(&b.name));
    let policies = policies.into_iter().map(|policy| (format!("Policy/{}", policy.name), Detail::Policy(policy)));
    let roles = state.roles().filter(|role| wanted("Role") && role.account == account);
    let roles = roles.map(|role| (format!("Role/{}", role.name), Detail::Role(role)));
    let users = state.users().filter(|user| wanted("User") && user.account == account);
    let users = users.filter(|user| !user.is_root && &*user.name != ANONYMOUS);
    let users = users.map(|user| (format!("User/{}", user.name), Detail::User(user)));
    let (page, rest) = request.page_of_several(groups.chain(policies).chain(roles).chain(users))?;

    let mut lists = [fragment(), fragment(), fragment(), fragment()];
    let [users, groups, roles, policies] = &mut lists;
    for detail in page {
        match detail {
            Detail::User(user) => users.element("member", |xml| describe_user(xml, request, state, user)),
            Detail::Group(group) => groups.element("member", |xml| describe_group(xml, request, state, group)),
            Detail::Role(role) => roles.element("member", |xml| describe_role(xml, request, state, role)),
            Detail::Policy(policy) => {
                policies.element("member", |xml| managed_policy::describe_with_versions(xml, state, policy, account))
            }
        };
    }
    let mut xml = fragment();
    for (name, list) in ["UserDetailList", "GroupDetailList", "RoleDetailList", "Policies"].into_iter().zip(lists) {
        xml.element(name, |xml| xml.written(&list.finish()));
    }
    Ok(Outcome::answer(xml.finish() + &rest))
}

fn filter(request: &Request<'_>) -> Result<Vec<String>, IamError> {
    if !request.params.has_prefix("Filter.member.") {
        return Ok(Vec::new());
    }
    let filter = request.params.members("Filter")?;
    match filter.iter().find(|kind| !KINDS.contains(&kind.as_str())) {
        None => Ok(filter),
        Some(kind) => Err(IamError::validation(format!("The Filter {kind} is not one of {}", KINDS.join(", ")))),
    }
}

fn describe_user(xml: &mut XmlWriter, request: &Request<'_>, state: &Snapshot, user: &User) {
    let holder = Holder::User(user.name.clone());
    user::describe(xml, user);
    inline_policies(xml, state, &holder, "UserPolicyList");
    xml.element("GroupList", |xml| {
        for group in user.groups.iter().filter(|name| state.group(name).is_some()) {
            xml.text("member", group);
        }
    });
    attached_policies(xml, request, state, &holder);
    permissions_boundary::describe(xml, state, request, &holder);
    tags::describe(xml, user.tags());
    // Two elements of our own, which AWS's tools ignore and `kelpgate iam apply` needs.
    if user.disabled {
        xml.text("Status", "Inactive");
    }
    if state.is_static_user(&user.name) {
        xml.text("DefinedBy", "File");
    }
}

fn describe_group(xml: &mut XmlWriter, request: &Request<'_>, state: &Snapshot, group: &Group) {
    let holder = Holder::Group(group.name.clone());
    group::describe(xml, group);
    inline_policies(xml, state, &holder, "GroupPolicyList");
    attached_policies(xml, request, state, &holder);
}

fn describe_role(xml: &mut XmlWriter, request: &Request<'_>, state: &Snapshot, role: &Role) {
    let holder = Holder::Role(role.name.clone());
    role::describe(xml, state, role);
    xml.element("InstanceProfileList", |xml| {
        for profile in instance_profile::of_role(request, state, &role.name) {
            xml.element("member", |xml| instance_profile::describe(xml, state, profile));
        }
    });
    inline_policies(xml, state, &holder, "RolePolicyList");
    attached_policies(xml, request, state, &holder);
    permissions_boundary::describe(xml, state, request, &holder);
    tags::describe(xml, role.tags());
    access_key_last_used::describe_role(xml, request, role);
}

fn inline_policies(xml: &mut XmlWriter, state: &Snapshot, holder: &Holder, list: &str) {
    xml.element(list, |xml| {
        for (name, policy) in state.inline_policies(holder) {
            xml.element("member", |xml| {
                xml.text("PolicyName", &name).text("PolicyDocument", &encoded(&policy.text));
            });
        }
    });
}

fn attached_policies(xml: &mut XmlWriter, request: &Request<'_>, state: &Snapshot, holder: &Holder) {
    xml.element("AttachedManagedPolicies", |xml| {
        for name in attachment::names(state, holder) {
            xml.element("member", |xml| attachment::describe(xml, request, state, &name));
        }
    });
}
