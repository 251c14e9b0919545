//! The marks on everything that this plugin makes in OVSDB. They are its only state: who owns a port, and for whom.

use std::{collections::BTreeMap, fmt, path::Path};

use super::{
    environment::{Attachment, Target},
    runtime::Runtime,
};
use node::sandbox;
use ovs::value::Datum;
use vocabulary::marks::{
    CONTAINER, DEVICE, IFNAME, NETNS, NETWORK, OWNER, OWNER_NAME, POD_NAME, POD_NAMESPACE,
};
use vocabulary::{Quoted, SocketMode};

/// Keys and values of `external_ids`.
pub type ExternalIds = BTreeMap<String, String>;

const MODE: &str = "vhostuser-mode";
/// What IPAM has given, for a repeated ADD and for CHECK.
pub const IPAM: &str = "vhostuser-ipam";
const POD_UID: &str = "pod-uid";
const MAC: &str = "attached-mac";
const DEVICE_INFO: &str = "vhostuser-device-info";

/// All marks of an attachment.
pub fn marks(
    network: &str,
    Target { attachment, netns, args }: &Target,
    mode: SocketMode,
    runtime: &Runtime,
) -> ExternalIds {
    let always = [
        (OWNER, OWNER_NAME),
        (NETWORK, network),
        (CONTAINER, attachment.container.as_str()),
        (IFNAME, attachment.ifname.as_str()),
        (NETNS, netns.as_str()),
        (DEVICE, runtime.device.as_str()),
        (MODE, mode.as_str()),
    ];
    let mac = runtime.mac.map(|mac| mac.to_string());
    let info_file = runtime.info_file.as_ref().map(|file| file.display().to_string());
    let known = [
        (DEVICE_INFO, &info_file),
        (POD_NAMESPACE, &args.pod_namespace),
        (POD_NAME, &args.pod_name),
        (POD_UID, &args.pod_uid),
        (MAC, &mac),
    ];
    let known = known.into_iter().filter_map(|(key, value)| Some((key, value.as_deref()?)));
    always.into_iter().chain(known).map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
}

/// The marks by which an attachment is found.
pub fn of_attachment(attachment: &Attachment) -> Datum {
    ovs::port::of_attachment(&attachment.container, &attachment.ifname)
}

/// The marks by which all attachments of a network are found.
pub fn of_network(network: &str) -> Datum {
    Datum::map([(OWNER, OWNER_NAME), (NETWORK, network)])
}

/// All marks as an OVSDB map.
pub fn datum(ids: &ExternalIds) -> Datum {
    Datum::map(ids)
}

/// The marks with what IPAM has given, so that a repeated ADD can answer the same.
pub fn with_ipam(ids: &ExternalIds, ipam: Option<String>) -> ExternalIds {
    let mut ids = ids.clone();
    ids.extend(ipam.map(|ipam| (IPAM.to_owned(), ipam)));
    ids
}

/// What IPAM has given.
pub fn ipam(ids: &ExternalIds) -> Option<&str> {
    ids.get(IPAM).map(String::as_str)
}

/// Whose a port is, according to its marks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder<'i> {
    ids: &'i ExternalIds,
    /// The attachment.
    pub attachment: Attachment,
}

impl<'i> Holder<'i> {
    /// `None` if it is not ours.
    pub fn of(ids: &'i ExternalIds) -> Option<Self> {
        (ids.get(OWNER)? == OWNER_NAME).then_some(())?;
        let text = |key: &str| ids.get(key).cloned().unwrap_or_default();
        let attachment = Attachment { container: text(CONTAINER), ifname: text(IFNAME) };
        Some(Self { ids, attachment })
    }

    /// The device.
    pub fn device(&self) -> Option<&'i str> {
        self.ids.get(DEVICE).map(String::as_str)
    }

    /// Where device-info was left for the runtime.
    pub fn info_file(&self) -> Option<&'i Path> {
        self.ids.get(DEVICE_INFO).map(Path::new)
    }

    /// Whether its sandbox is certainly gone. Ports of earlier releases do not tell.
    pub fn is_gone(&self) -> bool {
        self.ids.get(NETNS).is_some_and(|netns| sandbox::is_gone(Path::new(netns)))
    }

    /// The socket's mode.
    pub fn mode(&self) -> Option<SocketMode> {
        self.ids.get(MODE)?.parse().ok()
    }
}

impl fmt::Display for Holder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |key: &str| self.ids.get(key).map_or("", String::as_str);
        let pod = format!("{}/{}", text(POD_NAMESPACE), text(POD_NAME));
        write!(f, "{} (pod {}, network {})", self.attachment, Quoted(&pod), Quoted(text(NETWORK)))
    }
}

/// What each mark says that is not as it should be; marks of others may stand beside ours.
pub fn deviations(should: &ExternalIds, is: &ExternalIds) -> Vec<String> {
    // What the runtime passes may change with its release, and ports of earlier releases have no namespace.
    let told = |key: &str| key != NETNS && (![POD_UID, DEVICE_INFO].contains(&key) || is.contains_key(key));
    let wrong = should.iter().filter(|(key, value)| is.get(*key) != Some(value) && told(key));
    let said = wrong.map(|(key, should)| {
        let is = is.get(key).map_or("missing".to_owned(), |is| Quoted(is).to_string());
        format!("external_ids:{key} is {is}, should be {}", Quoted(should))
    });
    // One that was asked for once and is not any more: the result would have it no longer.
    let more = is.get(MAC).filter(|_| !should.contains_key(MAC));
    let more = more.map(|mac| format!("external_ids:{MAC} is {}, should be none", Quoted(mac)));
    said.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Args;

    fn example() -> ExternalIds {
        let attachment = Attachment { container: "c1".to_owned(), ifname: "net1".to_owned() };
        let runtime = Runtime {
            device: "ovs-0".parse().unwrap(),
            info_file: Some("/devinfo/c1.json".into()),
            mac: Some("02:00:00:00:00:01".parse().unwrap()),
        };
        let args =
            Args { pod_namespace: Some("ns".to_owned()), pod_name: Some("vm".to_owned()), ..Args::default() };
        let target = Target { attachment, netns: "/run/netns/c1".to_owned(), args };
        marks("blue", &target, SocketMode::Server, &runtime)
    }

    /// A later release must find what an earlier one has made.
    #[test]
    fn the_marks_are_frozen() {
        let ids: Vec<_> = example().into_iter().map(|(key, value)| format!("{key}={value}")).collect();
        assert_eq!(
            ids,
            [
                "attached-mac=02:00:00:00:00:01",
                "pod-name=vm",
                "pod-namespace=ns",
                "vhostuser-container-id=c1",
                "vhostuser-device=ovs-0",
                "vhostuser-device-info=/devinfo/c1.json",
                "vhostuser-ifname=net1",
                "vhostuser-mode=server",
                "vhostuser-netns=/run/netns/c1",
                "vhostuser-network=blue",
                "vhostuser-owner=network-vhostuser-binding",
            ]
        );
    }

    #[test]
    fn tells_whose_it_is() {
        let ids = example();
        let holder = Holder::of(&ids).unwrap();
        assert_eq!(holder.to_string(), "interface 'net1' of container 'c1' (pod 'ns/vm', network 'blue')");
        assert_eq!((holder.device(), holder.mode()), (Some("ovs-0"), Some(SocketMode::Server)));
        assert_eq!(holder.info_file(), Some(Path::new("/devinfo/c1.json")));
        assert_eq!(Holder::of(&ExternalIds::new()), None);
        let foreign = BTreeMap::from([(OWNER.to_owned(), "me".to_owned())]);
        assert_eq!(Holder::of(&foreign), None);
    }

    #[test]
    fn tells_every_mark_and_passes_over_foreign_ones() {
        let (should, mut is) = (example(), example());
        is.insert("foreign".to_owned(), "x".to_owned());
        assert_eq!(deviations(&should, &is), Vec::<String>::new());
        let mut without = example();
        without.remove(MAC);
        assert_eq!(
            deviations(&without, &is),
            ["external_ids:attached-mac is '02:00:00:00:00:01', should be none"]
        );
        is.insert(NETWORK.to_owned(), "red".to_owned());
        is.remove(IFNAME);
        assert_eq!(
            deviations(&should, &is),
            [
                "external_ids:vhostuser-ifname is missing, should be 'net1'",
                "external_ids:vhostuser-network is 'red', should be 'blue'"
            ]
        );
    }
}
