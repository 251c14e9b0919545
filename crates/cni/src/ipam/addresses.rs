//! What an IPAM plugin has given: checked when it comes, written into results, and looked for in them again.

use std::{fmt, net::IpAddr};

use serde_json::{Map, Value, json};

use crate::version::Version;
use vocabulary::Quoted;

/// What an IPAM plugin has given.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Addresses {
    ips: Vec<Map<String, Value>>,
    routes: Vec<Value>,
    dns: Option<Value>,
}

/// A result that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{place}: {} is not {expected}", Quoted(.value))]
pub struct NoAddresses {
    place: String,
    value: String,
    expected: &'static str,
}

impl NoAddresses {
    fn new(place: impl fmt::Display, value: &Value, expected: &'static str) -> Self {
        Self { place: place.to_string(), value: value.to_string(), expected }
    }
}

impl Addresses {
    /// Reads a result of whatever version, or [`note`](Self::note). Fields that mean nothing here are kept as they are.
    ///
    /// # Errors
    /// The first field that a runtime could not use.
    pub fn parse(result: &[u8]) -> Result<Self, NoAddresses> {
        let whole = serde_json::from_slice(result);
        let Ok(Value::Object(mut result)) = whole else {
            let text = String::from_utf8_lossy(result).trim().to_owned();
            return Err(NoAddresses { place: "result".to_owned(), value: text, expected: "a JSON object" });
        };
        let ips = list("ips", result.remove("ips"))?;
        let ips = ips.into_iter().enumerate().map(|(at, value)| ip(at, value)).collect::<Result<_, _>>()?;
        let routes = list("routes", result.remove("routes"))?;
        routes.iter().enumerate().try_for_each(|(at, value)| route(at, value))?;
        let dns = result.remove("dns").filter(|dns| !is_empty(dns));
        match dns {
            Some(dns) if !dns.is_object() => Err(NoAddresses::new("dns", &dns, "an object")),
            dns => Ok(Self { ips, routes, dns }),
        }
    }

    /// As they are written down for a repeated ADD.
    pub fn note(&self) -> String {
        json!({ "ips": self.ips, "routes": self.routes, "dns": self.dns }).to_string()
    }

    /// Puts them into a result with one interface. `dns` is what the network itself says, which comes first.
    pub fn write(&self, version: Version, dns: Option<&Value>, result: &mut Value) {
        if !self.ips.is_empty() {
            let ips: Vec<_> = self.ips.iter().map(|ip| of_version(ip.clone(), version)).collect();
            result["ips"] = ips.into();
        }
        if !self.routes.is_empty() {
            result["routes"] = self.routes.clone().into();
        }
        if let Some(dns) = dns.filter(|dns| !is_empty(dns)).or(self.dns.as_ref()) {
            result["dns"] = dns.clone();
        }
    }

    /// Where a result that ADD has answered differs in addresses and routes. Later plugins of a chain may have added
    /// some, but none to this interface.
    pub fn deviations(&self, ifname: &str, result: &Value) -> Vec<String> {
        let interfaces = items(result, "interfaces");
        let is_ours = |ip: &&Value| match ip["interface"].as_u64().and_then(|at| usize::try_from(at).ok()) {
            Some(at) => interfaces.get(at).is_some_and(|interface| interface["name"] == ifname),
            None => true,
        };
        let told: Vec<_> = items(result, "ips").iter().filter(is_ours).collect();
        let given: Vec<_> = self.ips.iter().map(|ip| Value::Object(ip.clone())).collect();
        let missing = given.iter().filter(|ip| !told.iter().any(|told| same_ip(told, ip)));
        let missing = missing.map(|ip| format!("prevResult has no address {}, which IPAM gave", shown(ip)));
        let more = told.iter().filter(|ip| !given.iter().any(|given| same_ip(given, ip)));
        let more =
            more.map(|ip| format!("prevResult has the address {}, which IPAM did not give", shown(ip)));
        let way = |route: &Value| (prefix(&route["dst"]), gateway(route, "gw"));
        let told = items(result, "routes");
        let routes = self.routes.iter().filter(|route| !told.iter().any(|told| way(told) == way(route)));
        let routes = routes.map(|route| format!("prevResult has no route {route}, which IPAM gave"));
        missing.chain(more).chain(routes).collect()
    }
}

/// However they are written.
fn same_ip(one: &Value, other: &Value) -> bool {
    let parsed = |ip: &Value| (prefix(&ip["address"]), gateway(ip, "gateway"));
    parsed(one) == parsed(other)
}

/// None where it is not said, or as Go writes an address that was not set.
fn gateway(value: &Value, key: &str) -> Option<IpAddr> {
    address_of(&value[key])
}

fn items<'v>(value: &'v Value, key: &str) -> &'v [Value] {
    value[key].as_array().map(Vec::as_slice).unwrap_or_default()
}

fn shown(ip: &Value) -> String {
    let address = ip["address"].as_str().unwrap_or_default();
    ip["gateway"].as_str().map_or(address.to_owned(), |gateway| format!("{address} (gateway {gateway})"))
}

fn list(place: &str, value: Option<Value>) -> Result<Vec<Value>, NoAddresses> {
    match value {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::Array(items)) => Ok(items),
        Some(other) => Err(NoAddresses::new(place, &other, "a list")),
    }
}

fn ip(at: usize, value: Value) -> Result<Map<String, Value>, NoAddresses> {
    let place = format!("ips[{at}]");
    let Value::Object(ip) = value else { return Err(NoAddresses::new(place, &value, "an object")) };
    let field = |key: &str| ip.get(key).unwrap_or(&Value::Null);
    let place = |key: &str| format!("{place}.{key}");
    let Some((address, _)) = prefix(field("address")) else {
        let expected = "an address with the length of its prefix, such as '192.0.2.7/24'";
        return Err(NoAddresses::new(place("address"), field("address"), expected));
    };
    match field("gateway") {
        Value::Null => Ok(ip),
        gateway if address_of(gateway).is_some_and(|gateway| gateway.is_ipv4() == address.is_ipv4()) => {
            Ok(ip)
        }
        gateway => Err(NoAddresses::new(place("gateway"), gateway, "an address of the same family")),
    }
}

fn route(at: usize, route: &Value) -> Result<(), NoAddresses> {
    let place = |key: &str| format!("routes[{at}].{key}");
    if prefix(&route["dst"]).is_none() {
        let expected = "a network with the length of its prefix, such as '0.0.0.0/0'";
        return Err(NoAddresses::new(place("dst"), &route["dst"], expected));
    }
    match &route["gw"] {
        Value::Null => Ok(()),
        Value::String(text) if text.is_empty() => Ok(()),
        gateway if address_of(gateway).is_some() => Ok(()),
        gateway => Err(NoAddresses::new(place("gw"), gateway, "an address")),
    }
}

fn prefix(value: &Value) -> Option<(IpAddr, u8)> {
    let (address, length) = value.as_str()?.split_once('/')?;
    let address: IpAddr = address.parse().ok()?;
    let most = if address.is_ipv4() { 32 } else { 128 };
    let length =
        Some(length).filter(|length| length.bytes().all(|byte| byte.is_ascii_digit()))?.parse().ok()?;
    (length <= most).then_some((address, length))
}

fn address_of(value: &Value) -> Option<IpAddr> {
    value.as_str()?.parse().ok()
}

/// Until 1.0.0 each address told its family.
fn of_version(mut ip: Map<String, Value>, version: Version) -> Value {
    let v6 = ip.get("address").and_then(Value::as_str).is_some_and(|address| address.contains(':'));
    ip.insert("interface".to_owned(), 0.into());
    ip.remove("version");
    if version < Version::V1_0_0 {
        ip.insert("version".to_owned(), if v6 { "6" } else { "4" }.into());
    }
    Value::Object(ip)
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.values().all(is_empty),
        Value::String(text) => text.is_empty(),
        Value::Bool(_) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(result: &Value) -> Result<Addresses, String> {
        Addresses::parse(result.to_string().as_bytes()).map_err(|error| error.to_string())
    }

    #[test]
    fn takes_what_ipam_plugins_say() {
        for result in [
            json!({}),
            json!({"ips": null, "routes": [], "dns": {"nameservers": []}}),
            json!({"ips": [{"version": "4", "address": "10.0.0.2/32", "gateway": "10.0.0.1"}]}),
            json!({"ips": [{"address": "fd00::2/128", "gateway": "fe80::1"}], "routes": [{"dst": "::/0", "gw": "fe80::1"}]}),
            json!({"routes": [{"dst": "0.0.0.0/0"}, {"dst": "10.0.0.0/8", "gw": "", "mtu": 1400}]}),
        ] {
            let addresses = parse(&result).unwrap();
            assert_eq!(Addresses::parse(addresses.note().as_bytes()), Ok(addresses));
        }
    }

    #[test]
    fn tells_what_no_runtime_could_use() {
        let ip = "is not an address with the length of its prefix, such as '192.0.2.7/24'";
        let route = "is not a network with the length of its prefix, such as '0.0.0.0/0'";
        for (result, said) in [
            (json!([]), "result: '[]' is not a JSON object".to_owned()),
            (json!({"ips": {}}), "ips: '{}' is not a list".to_owned()),
            (json!({"ips": ["10.0.0.2/24"]}), "ips[0]: '\"10.0.0.2/24\"' is not an object".to_owned()),
            (json!({"ips": [{}]}), format!("ips[0].address: 'null' {ip}")),
            (json!({"ips": [{"address": "10.0.0.2"}]}), format!("ips[0].address: '\"10.0.0.2\"' {ip}")),
            (json!({"ips": [{"address": "10.0.0.2/33"}]}), format!("ips[0].address: '\"10.0.0.2/33\"' {ip}")),
            (json!({"ips": [{"address": "10.0.0.2/+8"}]}), format!("ips[0].address: '\"10.0.0.2/+8\"' {ip}")),
            (
                json!({"ips": [{"address": "10.0.0.2/8", "gateway": "fe80::1"}]}),
                "ips[0].gateway: '\"fe80::1\"' is not an address of the same family".to_owned(),
            ),
            (json!({"routes": [{"dst": "default"}]}), format!("routes[0].dst: '\"default\"' {route}")),
            (
                json!({"routes": [{"dst": "10.0.0.0/8", "gw": 5}]}),
                "routes[0].gw: '5' is not an address".to_owned(),
            ),
            (json!({"dns": ["10.0.0.1"]}), "dns: '[\"10.0.0.1\"]' is not an object".to_owned()),
        ] {
            assert_eq!(parse(&result), Err(said));
        }
    }

    #[test]
    fn tells_where_a_result_differs() {
        let given = json!({"ips": [{"address": "10.0.0.2/24", "gateway": "10.0.0.1"}], "routes": [{"dst": "0.0.0.0/0"}]});
        let given = parse(&given).unwrap();
        let interfaces = json!([{"name": "net1"}, {"name": "later"}]);
        let mut result = json!({ "interfaces": interfaces });
        given.write(Version::V0_4_0, None, &mut result);
        assert_eq!(given.deviations("net1", &result), Vec::<String>::new());
        // A later plugin's own interface.
        result["ips"].as_array_mut().unwrap().push(json!({"address": "10.1.0.9/24", "interface": 1}));
        result["routes"].as_array_mut().unwrap().push(json!({"dst": "10.1.0.0/16"}));
        assert_eq!(given.deviations("net1", &result), Vec::<String>::new());
        // A runtime that reads the result and writes it again.
        let written = json!({"ips": [{"address": "fd00::2/64", "interface": 0}], "routes": [{"dst": "::/0"}],
            "interfaces": interfaces});
        let v6 =
            json!({"ips": [{"address": "FD00:0::2/64"}], "routes": [{"dst": "::/0", "gw": "", "mtu": 1400}]});
        assert_eq!(parse(&v6).unwrap().deviations("net1", &written), Vec::<String>::new());
        result["ips"][0]["address"] = "10.0.0.3/24".into();
        result["routes"] = json!([]);
        assert_eq!(
            given.deviations("net1", &result),
            [
                "prevResult has no address 10.0.0.2/24 (gateway 10.0.0.1), which IPAM gave",
                "prevResult has the address 10.0.0.3/24 (gateway 10.0.0.1), which IPAM did not give",
                r#"prevResult has no route {"dst":"0.0.0.0/0"}, which IPAM gave"#,
            ]
        );
        assert_eq!(given.deviations("net1", &json!({})).len(), 2);
        assert_eq!(Addresses::default().deviations("net1", &json!({})), Vec::<String>::new());
    }
}
