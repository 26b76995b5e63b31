use super::*;

/// Checks as letters, passed or failed, and the changes that they bring.
fn check(healthy_after: u32, unhealthy_after: u32, heard: &str, expected: &str) {
    let mut terms = HealthSettings::of("/".to_owned());
    (terms.healthy_after, terms.unhealthy_after) = (healthy_after, unhealthy_after);
    let mut streak = Streak::NEW;
    let told: String = heard
        .chars()
        .map(|letter| {
            let check = if letter == 'p' { Check::Passed } else { Check::Failed };
            match streak.heard(check, &terms) {
                None => '-',
                Some(Standing::Up) => 'U',
                Some(Standing::Down) => 'D',
            }
        })
        .collect();
    assert_eq!(told, expected, "{healthy_after} {unhealthy_after} {heard}");
}

#[test]
fn a_member_changes_its_standing_after_so_many_checks_in_a_row() {
    check(1, 1, "pfpf", "-DUD");
    check(2, 3, "ffpfff", "-----D");
    check(2, 3, "fffppp", "--D-U-");
    check(2, 3, "fffpfpp", "--D---U");
    check(3, 1, "ffffp", "D----");
    check(1, 2, "fffff", "-D---");
}
