//! Every form of an address, and every mistake in one.

use super::*;
use proptest::prelude::*;

fn net(socket: impl Into<SocketAddr>) -> Address {
    Address::Endpoint(Endpoint::Net(socket.into()))
}

#[test]
fn names_of_services() {
    for text in ["srv:_game._tcp.example.com", "srv:_x"] {
        let address: Address = text.parse().unwrap();
        assert_eq!(address, Address::Service(text.strip_prefix("srv:").unwrap().into()));
        assert_eq!(address.to_string(), text);
    }
    for (text, problem) in [
        ("srv:_a..b", Problem::EmptyLabel),
        ("srv:_a b", Problem::Character(' ')),
        ("srv:_a._tcp.b:80", Problem::Character(':')),
        ("srv:game", Problem::PortSyntax), // a host of that name
    ] {
        assert_eq!(text.parse::<Address>().unwrap_err().problem, problem);
    }
    assert_eq!(parse_listen("srv:_a").unwrap_err().problem, Problem::PortSyntax);
}

#[test]
fn paths_of_unix_sockets() {
    let longest = format!("unix:/{}", "a".repeat(106));
    for text in ["unix:/run/a.sock", "unix:/with space:80/\u{fc}", &longest] {
        let endpoint = Endpoint::Unix(Path::new(text.strip_prefix("unix:").unwrap()).into());
        assert_eq!(parse_listen(text), Ok(endpoint.clone()));
        assert_eq!(text.parse(), Ok(Address::Endpoint(endpoint.clone())));
        assert_eq!(endpoint.to_string(), text);
    }
    let long = format!("{longest}a");
    for (text, problem) in [
        ("unix:/a\0b", Problem::PathZero),
        (&long, Problem::PathLength(108)),
        ("unix:a", Problem::PortSyntax), // a host of that name
    ] {
        assert_eq!(text.parse::<Address>().unwrap_err().problem, problem);
        assert_eq!(parse_listen(text).unwrap_err().problem, problem);
    }
}

#[test]
fn what_can_be_connected_to() {
    for text in ["127.0.0.1:80", "0.0.0.0:1", "[::1]:65535", "[fe80::1%2]:80", "[::1.2.3.4]:9"] {
        let address: Address = text.parse().unwrap();
        assert_eq!(address, Address::Endpoint(Endpoint::Net(text.parse().unwrap())));
    }
    assert_eq!("1.2.3.4:00080".parse(), Ok(net(([1, 2, 3, 4], 80))));

    let (label, long) = ("a".repeat(63), format!("{}{}", "abc.".repeat(63), "a"));
    assert_eq!(long.len(), 253);
    let dotted = format!("{long}.");
    let names = ["localhost", "Db-1.example.com.", "_x._tcp.y", "1.2.3.4a", "0x7f.1"];
    for host in names.into_iter().chain([&*label, &*long, &*dotted]) {
        let address: Address = format!("{host}:80").parse().unwrap();
        assert_eq!(address, Address::Name { host: host.into(), port: 80 });
        assert_eq!(address.to_string(), format!("{host}:80"));
    }
}

#[test]
fn what_cannot_be_connected_to() {
    let long = format!("{}:80", "abc.".repeat(64));
    let label = format!("x.{}:80", "a".repeat(64));
    let cases = [
        ("", Problem::Empty),
        (" ", Problem::Space),
        ("localhost: 80", Problem::Space),
        ("localhost:80\n", Problem::Space),
        ("localhost", Problem::NoPort),
        ("localhost:", Problem::NoPort),
        ("127.0.0.1", Problem::NoPort),
        ("[::1]", Problem::NoPort),
        ("[::1]:", Problem::NoPort),
        (":80", Problem::NoHost),
        (":0", Problem::NoHost),
        ("localhost:0", Problem::ZeroPort),
        ("127.0.0.1:0", Problem::ZeroPort),
        ("[::1]:0", Problem::ZeroPort),
        ("localhost:+80", Problem::PortSyntax),
        ("localhost:-1", Problem::PortSyntax),
        ("localhost:http", Problem::PortSyntax),
        ("localhost:80/", Problem::PortSyntax),
        ("localhost:٣", Problem::PortSyntax),
        ("localhost:65536", Problem::PortRange),
        ("localhost:99999999999999999999", Problem::PortRange),
        ("[::1:80", Problem::Unclosed),
        ("[::1]80", Problem::AfterBracket),
        ("::1:80", Problem::Colons),
        ("::1", Problem::Colons),
        ("http://localhost:80", Problem::Colons),
        ("1.2.3:80", Problem::Ipv4),
        ("1.2.3.256:80", Problem::Ipv4),
        ("1.2.3.4.:80", Problem::Ipv4),
        ("2130706433:80", Problem::Ipv4),
        ("[]:80", Problem::Ipv6),
        ("[1.2.3.4]:80", Problem::Ipv6),
        ("[::g]:80", Problem::Ipv6),
        ("[::1%eth0]:80", Problem::Scope),
        ("[::1%+1]:80", Problem::Scope),
        ("[::1%]:80", Problem::Scope),
        ("[::1%4294967296]:80", Problem::Scope),
        ("a/b:80", Problem::Character('/')),
        ("b\u{fc}cher.example:80", Problem::Character('\u{fc}')),
        ("a\0:80", Problem::Character('\0')),
        ("a..b:80", Problem::EmptyLabel),
        (".a:80", Problem::EmptyLabel),
        ("a..:80", Problem::EmptyLabel),
        (&long, Problem::NameLength(255)),
        (&label, Problem::LabelLength(64)),
    ];
    for (text, problem) in cases {
        let error = text.parse::<Address>().unwrap_err();
        assert_eq!(error.problem, problem, "{text}");
    }
}

#[test]
fn what_can_be_listened_on() {
    for (text, socket) in [
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("127.0.0.1:0", "127.0.0.1:0"),
        (":80", "0.0.0.0:80"),
        (":0", "0.0.0.0:0"),
        ("[::]:7", "[::]:7"),
        ("[fe80::1%2]:0", "[fe80::1%2]:0"),
    ] {
        assert_eq!(parse_listen(text), Ok(Endpoint::Net(socket.parse().unwrap())), "{text}");
    }
    for (text, problem) in [
        ("localhost:80", Problem::NotLiteral),
        ("*:80", Problem::NotLiteral),
        ("80", Problem::NoPort),
        (":", Problem::NoPort),
        (":::80", Problem::Colons),
        ("1.2.3:80", Problem::Ipv4),
        (":65536", Problem::PortRange),
    ] {
        let error = parse_listen(text).unwrap_err();
        assert_eq!(error.problem, problem, "{text}");
        assert_eq!(error.is_of_host(), text.contains(['l', '*', '2']), "{text}");
    }
}

#[test]
fn errors_name_the_value_the_mistake_and_the_wanted_forms() {
    let connect = r#"; wanted "ip:port", "[ipv6]:port", "name:port", "unix:/path" or "srv:_name._tcp.domain""#;
    for (text, wanted) in [
        ("", r#"bad address "": it is empty"#),
        ("a b:1", r#"bad address "a b:1": it contains whitespace"#),
        (
            "::1:80",
            r#"bad address "::1:80": it has several colons, and an IPv6 address needs brackets around it"#,
        ),
        (
            "a*:80",
            r#"bad address "a*:80": '*' is not allowed in a name (letters, digits, - _ . are)"#,
        ),
        ("1.2.3:80", r#"bad address "1.2.3:80": the host is not a valid IPv4 address"#),
    ] {
        let error = text.parse::<Address>().unwrap_err();
        assert_eq!(error.to_string(), format!("{wanted}{connect}"));
    }
    assert_eq!(
        parse_listen("localhost:80").unwrap_err().to_string(),
        r#"bad address "localhost:80": only a literal address can be listened on, not a name; wanted "ip:port", "[ipv6]:port", ":port" or "unix:/path""#
    );
}

proptest! {
    #[test]
    fn any_text_is_an_error_or_survives_printing(
        text in prop_oneof![".*", r"[\[\]:%.0-9a-f]{0,20}", r"[a-z.0-9]{1,9}:[0-9]{1,5}", "unix:/.{0,120}", "srv:_[a-z._]{0,20}"],
    ) {
        match text.parse::<Address>() {
            Ok(address) => prop_assert_eq!(address.to_string().parse(), Ok(address)),
            Err(error) => prop_assert!(error.to_string().starts_with("bad address ")),
        }
        match parse_listen(&text) {
            Ok(socket) => prop_assert_eq!(parse_listen(&socket.to_string()), Ok(socket)),
            Err(error) => prop_assert!(error.to_string().starts_with("bad address ")),
        }
    }

    #[test]
    fn every_literal_is_read_as_the_standard_library_reads_it(
        v4 in any::<u32>(), v6 in any::<u128>(), scope in any::<u32>(), port in 1..=u16::MAX,
    ) {
        let v4 = SocketAddr::from((Ipv4Addr::from(v4), port));
        let v6 = SocketAddr::from(SocketAddrV6::new(v6.into(), port, 0, scope));
        for socket in [v4, v6] {
            prop_assert_eq!(socket.to_string().parse(), Ok(net(socket)));
            prop_assert_eq!(parse_listen(&socket.to_string()), Ok(socket.into()));
        }
    }
}
