use super::*;
use crate::config::text;

/// A machine with these addresses beside the loopback ones.
struct Machine(&'static [&'static str]);

impl Local for Machine {
    fn is_local(&self, ip: IpAddr) -> bool {
        self.0.iter().any(|own| own.parse() == Ok(ip))
    }
}

const HERE: &[&str] = &["10.0.0.2", "192.168.7.7", "2001:db8::2"];

fn listening(public: &[&str], admin: &str) -> Own {
    Own {
        public: public.iter().map(|at| text::listen(at).unwrap()).collect(),
        admin: Some(admin.parse().unwrap()),
    }
}

fn told(allow: &[&str], deny: &[&str], own: Own) -> Destinations {
    let ranges = |said: &[&str]| said.iter().map(|one| text::destination(one).unwrap()).collect();
    let settings = DestinationSettings { allow: ranges(allow), deny: ranges(deny) };
    Destinations::beside(settings, own, Box::new(Machine(HERE)))
}

fn check(rule: &Destinations, address: &str, expected: Option<RefusedWhy>) {
    let judged = rule.judge(address.parse().unwrap()).err().map(|refused| refused.why);
    assert_eq!(judged, expected, "{address}");
}

#[test]
fn origins_are_on_loopback_in_private_ranges_and_outside() {
    let rule = told(&[], &[], Own::default());
    for address in [
        "127.0.0.1:3000",
        "127.8.8.8:80",
        "[::1]:3000",
        "10.0.0.5:3000",
        "172.16.0.1:80",
        "192.168.0.1:80",
        "100.64.0.1:80",
        "100.100.100.201:80",
        "[fd00::1]:80",
        "[fd00:ec2::255]:80",
        "[::ffff:10.0.0.5]:80",
        "[64:ff9b::203.0.113.1]:80",
        "[64:ff9b:1::203.0.113.1]:80",
        "[64:ff9b:1:cb00:71:100::]:80",
        "[64:ff9b:1:0:cb:71:100:0]:80",
        "[2002:cb00:7101::1]:80",
        "203.0.113.1:443",
        "[2606:4700::1111]:443",
    ] {
        check(&rule, address, None);
    }
}

#[test]
fn what_only_this_machine_or_its_cloud_has_is_refused_in_every_spelling() {
    use RefusedWhy::*;
    let rule = told(&[], &[], Own::default());
    for (address, why) in [
        ("169.254.169.254:80", Metadata),
        ("169.254.169.254:8080", Metadata),
        ("169.254.170.2:80", Metadata),
        ("100.100.100.200:80", Metadata),
        ("168.63.129.16:80", Metadata),
        ("192.0.0.192:80", Metadata),
        ("[fd00:ec2::254]:80", Metadata),
        ("[fd00:ec2::23]:80", Metadata),
        ("[fd20:ce::254]:80", Metadata),
        ("[::ffff:169.254.169.254]:80", Metadata),
        ("[::ffff:a9fe:a9fe]:80", Metadata),
        ("[::169.254.169.254]:80", Metadata),
        ("[::ffff:0:169.254.169.254]:80", Metadata),
        ("[64:ff9b::169.254.169.254]:80", Metadata),
        ("[64:ff9b:1::a9fe:a9fe]:80", Metadata),
        ("[64:ff9b:1:a9fe:a9:fe00::]:80", Metadata),
        ("[64:ff9b:1:0:a9:fea9:fe00:0]:80", Metadata),
        ("[2002:a9fe:a9fe::1]:80", Metadata),
        ("[2001:0:a9fe:a9fe::1]:80", Metadata),
        ("[2001:0:cb00:7101:0:0:5601:5601]:80", Metadata),
        ("[2001:db8::5efe:a9fe:a9fe]:80", Metadata),
        ("[fe80::200:5efe:a9fe:a9fe]:80", LinkLocal),
        ("169.254.0.1:80", LinkLocal),
        ("169.254.255.255:80", LinkLocal),
        ("[fe80::1]:80", LinkLocal),
        ("[febf:ffff::1]:80", LinkLocal),
        ("224.0.0.1:80", Multicast),
        ("239.255.255.250:1900", Multicast),
        ("255.255.255.255:80", Multicast),
        ("[ff02::1]:80", Multicast),
        ("[::ffff:224.0.0.1]:80", Multicast),
        ("0.0.0.0:80", Unspecified),
        ("0.0.0.1:80", Unspecified),
        ("0.1.2.3:80", Unspecified),
        ("[::]:80", Unspecified),
        ("[::ffff:0.0.0.0]:80", Unspecified),
        ("[64:ff9b::]:80", Unspecified),
    ] {
        check(&rule, address, Some(why));
    }
}

#[test]
fn a_listener_on_one_address_is_found_there_alone() {
    use RefusedWhy::*;
    let rule = told(&[], &[], listening(&["10.0.0.2:8080", "[::1]:8080"], "127.0.0.1:8081"));
    for (address, why) in [
        ("127.0.0.1:8081", Some(OwnAdmin)),
        ("[::ffff:127.0.0.1]:8081", Some(OwnAdmin)),
        ("[::127.0.0.1]:8081", Some(OwnAdmin)),
        ("[64:ff9b::127.0.0.1]:8081", Some(OwnAdmin)),
        ("[2002:7f00:1::]:8081", Some(OwnAdmin)),
        ("0.0.0.0:8081", Some(Unspecified)),
        ("[::]:8081", Some(Unspecified)),
        ("127.0.0.1:8082", None),
        ("127.0.0.2:8081", None),
        ("[::1]:8081", None),
        ("10.0.0.2:8080", Some(OwnListener)),
        ("[::ffff:10.0.0.2]:8080", Some(OwnListener)),
        ("[::1]:8080", Some(OwnListener)),
        ("127.0.0.1:8080", None),
        ("10.0.0.3:8080", None),
    ] {
        check(&rule, address, why);
    }
}

#[test]
fn a_listener_on_all_addresses_is_found_on_each_of_this_machine() {
    use RefusedWhy::*;
    for all in ["0.0.0.0", "[::]"] {
        let public = format!("{all}:8080");
        let rule = told(&[], &[], listening(&[&public], &format!("{all}:8081")));
        for ip in [
            "127.0.0.1",
            "127.0.0.2",
            "127.255.255.254",
            "[::1]",
            "[::ffff:127.0.0.3]",
            "10.0.0.2",
            "192.168.7.7",
            "[2001:db8::2]",
            "[::ffff:10.0.0.2]",
            "[64:ff9b::10.0.0.2]",
        ] {
            check(&rule, &format!("{ip}:8080"), Some(OwnListener));
            check(&rule, &format!("{ip}:8081"), Some(OwnAdmin));
            check(&rule, &format!("{ip}:8082"), None);
        }
        for ip in ["10.0.0.5", "[2001:db8::5]", "[64:ff9b::10.0.0.5]"] {
            check(&rule, &format!("{ip}:8080"), None);
            check(&rule, &format!("{ip}:8081"), None);
        }
        check(&rule, "0.0.0.0:8081", Some(OwnAdmin));
    }
}

#[test]
fn the_settings_widen_and_narrow_and_the_narrowest_counts() {
    use RefusedWhy::*;
    let allow = ["169.254.7.0/24", "169.254.169.254:8080", "10.1.2.3", "127.0.0.1:8080", "fe80::1"];
    let deny = ["10.0.0.0/8", "169.254.7.9", "192.0.2.1", "203.0.113.1:443"];
    let own = listening(&["0.0.0.0:8080"], "127.0.0.1:8081");
    let rule = told(&allow, &deny, own);
    for (address, why) in [
        ("169.254.7.1:3000", None),
        ("[::ffff:169.254.7.1]:3000", None),
        ("169.254.7.9:3000", Some(Denied)),
        ("169.254.8.1:3000", Some(LinkLocal)),
        ("169.254.169.254:8080", None),
        ("169.254.169.254:80", Some(Metadata)),
        ("[fe80::1]:80", None),
        ("10.0.0.5:80", Some(Denied)),
        ("[::ffff:10.0.0.5]:80", Some(Denied)),
        ("[64:ff9b::10.0.0.5]:80", Some(Denied)),
        ("10.1.2.3:80", None),
        ("192.0.2.1:80", Some(Denied)),
        ("203.0.113.1:443", Some(Denied)),
        ("203.0.113.1:80", None),
        ("127.0.0.1:8080", None),
        ("127.0.0.2:8080", Some(OwnListener)),
    ] {
        check(&rule, address, why);
    }
}

#[test]
fn nothing_allows_the_admin_listener() {
    let own = || listening(&[], "127.0.0.1:8081");
    for allow in ["127.0.0.1:8081", "127.0.0.1", "127.0.0.0/8", "0.0.0.0/0", "::/0"] {
        let rule = told(&[allow], &[], own());
        check(&rule, "127.0.0.1:8081", Some(RefusedWhy::OwnAdmin));
    }
}

#[test]
fn a_list_of_what_alone_is_allowed_can_be_written() {
    let rule = told(&["10.0.0.0/8"], &["0.0.0.0/0", "::/0"], Own::default());
    check(&rule, "10.9.9.9:80", None);
    check(&rule, "127.0.0.1:80", Some(RefusedWhy::Denied));
    check(&rule, "[2001:db8::1]:80", Some(RefusedWhy::Denied));
    // Of two alike the one that denies counts.
    let rule = told(&["10.0.0.0/8"], &["10.0.0.0/8"], Own::default());
    check(&rule, "10.9.9.9:80", Some(RefusedWhy::Denied));
}

#[test]
fn a_translated_address_that_is_allowed_as_written_is_allowed() {
    let rule = told(&["64:ff9b::/96"], &["192.0.2.0/24"], listening(&[], "127.0.0.1:8081"));
    check(&rule, "[64:ff9b::169.254.1.1]:80", None);
    check(&rule, "[64:ff9b::192.0.2.1]:80", Some(RefusedWhy::Denied));
    check(&rule, "[64:ff9b::127.0.0.1]:8081", Some(RefusedWhy::OwnAdmin));
}

#[test]
fn the_listening_socket_is_refused_through_a_link_as_well() {
    let folder = std::env::temp_dir().join(format!("forebay-destination-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let (own, link, other) = (folder.join("own"), folder.join("link"), folder.join("other"));
    std::fs::write(&own, "").unwrap();
    let _ = std::fs::remove_file(&link);
    std::os::unix::fs::symlink(&own, &link).unwrap();
    let rule = told(&[], &[], listening(&[&format!("unix:{}", own.display())], "127.0.0.1:1"));
    let dotted = folder.join("..").join(folder.file_name().unwrap()).join("own");
    for (path, expected) in [
        (&own, Err(RefusedWhy::OwnListener)),
        (&link, Err(RefusedWhy::OwnListener)),
        (&dotted, Err(RefusedWhy::OwnListener)),
        (&other, Ok(())),
    ] {
        assert_eq!(rule.judge_path(path).map_err(|refused| refused.why), expected, "{path:?}");
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn a_refusal_says_what_and_why() {
    let rule = told(&[], &[], Own::default());
    let refused = rule.judge("[::ffff:169.254.169.254]:80".parse().unwrap()).unwrap_err();
    let said = "refused `[::ffff:169.254.169.254]:80`: it is a cloud's metadata service";
    assert_eq!(refused.to_string(), said);
}

#[test]
fn this_machine_knows_its_own_addresses() {
    for (ip, expected) in [("127.0.0.1", true), ("127.9.9.9", true), ("192.0.2.77", false)] {
        assert_eq!(Interfaces.is_local(ip.parse().unwrap()), expected, "{ip}");
    }
}

#[test]
fn the_counts_stand_in_the_order_of_the_words() {
    for (place, why) in RefusedWhy::ALL.into_iter().enumerate() {
        assert_eq!(why as usize, place);
    }
}
