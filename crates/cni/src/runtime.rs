//! What the runtime puts into the configuration: the device, files, addresses, earlier results.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::{Map, Value};

use super::{
    environment::{Args, Attachment},
    error::CniError,
};
use node::fields::Mistakes;
use vocabulary::{DeviceId, MacAddr, Quoted};

/// What ADD and CHECK get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Runtime {
    /// The device that was allocated to the pod.
    pub device: DeviceId,
    /// Where device-info is, or is to be.
    pub info_file: Option<PathBuf>,
    /// The MAC address that the interface is to have.
    pub mac: Option<MacAddr>,
}

impl Runtime {
    /// Reads `runtimeConfig`, and what Multus puts to the top; nothing, and a mistake, if it is wrong.
    ///
    /// # Errors
    /// No device was given.
    pub fn read(config: &Value, args: &Args, mistakes: &Mistakes) -> Result<Option<Self>, CniError> {
        let info_file = info_file(config, mistakes);
        let mac = mac(config, mistakes).or(args.mac);
        let device = device(config, mistakes)?;
        Ok(device.map(|device| Self { device, info_file, mac }))
    }
}

/// The same id in both places or in one; nothing, and a mistake, if it is not one.
fn device(config: &Value, mistakes: &Mistakes) -> Result<Option<DeviceId>, CniError> {
    let fields = ["/deviceID", "/runtimeConfig/deviceID"];
    let is_no_text = |field| config.pointer(field).is_some_and(|id| !id.is_null() && !id.is_string());
    let given_badly = fields.into_iter().any(is_no_text);
    let mut ids = fields.into_iter().filter_map(|field| text(config, field, mistakes));
    let Some(id) = ids.next() else { return if given_badly { Ok(None) } else { Err(CniError::NoDevice) } };
    if let Some(other) = ids.next().filter(|other| *other != id) {
        let problem = format!("{} differs from runtimeConfig.deviceID {}", Quoted(id), Quoted(other));
        mistakes.add("deviceID", format_args!("{problem}: which device the pod has is not certain"));
    }
    Ok(id.parse().map_err(|error| mistakes.add("deviceID", error)).ok())
}

/// ADD only. The runtime writes the top-level `deviceID` from the kubelet's list alone; a pod's annotation can set
/// `runtimeConfig.deviceID`, and with it name another pod's device.
pub fn refuse_unallocated(config: &Value, mistakes: &Mistakes) {
    let given = |field| config.pointer(field).and_then(Value::as_str).filter(|id| !id.is_empty());
    if let (None, Some(id)) = (given("/deviceID"), given("/runtimeConfig/deviceID")) {
        let problem = "without the top-level deviceID, which only the kubelet's allocation sets: a pod annotation can set \
                       this one, so it does not show that the pod has the device; the NAD's annotation \
                       k8s.v1.cni.cncf.io/resourceName must name the vhost-user device plugin's resource, and the pod must \
                       request that resource";
        mistakes.add("runtimeConfig.deviceID", format_args!("{} {problem}", Quoted(id)));
    }
}

/// The place where Multus leaves device-info and looks for it again.
fn info_file(config: &Value, mistakes: &Mistakes) -> Option<PathBuf> {
    let path = text(config, "/runtimeConfig/CNIDeviceInfoFile", mistakes)?;
    if !path.starts_with('/') || path.ends_with('/') {
        mistakes.add("runtimeConfig.CNIDeviceInfoFile", format_args!("{} is no absolute path", Quoted(path)));
    }
    Some(PathBuf::from(path))
}

fn mac(config: &Value, mistakes: &Mistakes) -> Option<MacAddr> {
    let mac = text(config, "/runtimeConfig/mac", mistakes)?;
    mac.parse().map_err(|error| mistakes.add("runtimeConfig.mac", error)).ok()
}

/// A text that is there and not empty.
fn text<'c>(config: &'c Value, pointer: &str, mistakes: &Mistakes) -> Option<&'c str> {
    match config.pointer(pointer)? {
        Value::Null => None,
        Value::String(text) => Some(text.as_str()).filter(|text| !text.is_empty()),
        _ => {
            mistakes.add(&pointer.trim_start_matches('/').replace('/', "."), "must be a text");
            None
        }
    }
}

/// Where device-info was left, for those who only tidy up.
pub fn info_file_to_remove(config: &Value) -> Option<PathBuf> {
    let mistakes = Mistakes::default();
    info_file(config, &mistakes).filter(|_| mistakes.is_empty())
}

/// The device that the runtime names, for those who only tidy up.
pub fn device_to_hold(config: &Value) -> Option<DeviceId> {
    device(config, &Mistakes::default()).ok().flatten()
}

/// The attachments that GC is to leave. Runtimes of the first 1.1 releases use the second name.
///
/// # Errors
/// They are not listed: that must not mean that there are none.
pub fn valid_attachments(config: &Value) -> Result<BTreeSet<Attachment>, CniError> {
    let keys = ["cni.dev/valid-attachments", "cni.dev/attachments"];
    let Some((key, list)) = keys.iter().find_map(|key| Some((*key, config.get(key)?))) else {
        return Err(wrong(keys[0], "is missing: GC does not guess which attachments are in use"));
    };
    // How Go writes an empty list.
    if list.is_null() {
        return Ok(BTreeSet::new());
    }
    let Value::Array(list) = list else { return Err(wrong(key, "must be a list")) };
    let attachment = |item: &Map<String, Value>| {
        let text = |key: &str| item.get(key).and_then(Value::as_str).map(str::to_owned);
        Some(Attachment { container: text("containerID")?, ifname: text("ifname")? })
    };
    let list: Option<_> = list.iter().map(|item| item.as_object().and_then(attachment)).collect();
    list.ok_or_else(|| wrong(key, "each must have the texts containerID and ifname"))
}

fn wrong(place: &str, problem: &str) -> CniError {
    let mistakes = Mistakes::default();
    mistakes.add(place, problem);
    CniError::Config(mistakes)
}

#[cfg(test)]
mod tests {
    use expect_test::expect;
    use serde_json::json;

    use super::*;

    fn parse_with(config: &Value, args: &Args) -> Result<Runtime, CniError> {
        let mistakes = Mistakes::default();
        let runtime = Runtime::read(config, args, &mistakes)?;
        mistakes.or(runtime).map_err(CniError::Config)
    }

    fn parse(config: &Value) -> Result<Runtime, CniError> {
        parse_with(config, &Args::default())
    }

    #[test]
    fn takes_the_device_from_either_place() {
        for config in [
            json!({"deviceID": "ovs-0", "pciBusID": "ovs-0"}),
            json!({"runtimeConfig": {"deviceID": "ovs-0"}}),
            json!({"deviceID": "ovs-0", "runtimeConfig": {"deviceID": "ovs-0"}}),
            json!({"deviceID": "ovs-0", "runtimeConfig": {"deviceID": ""}}),
        ] {
            assert_eq!(parse(&config).unwrap().device.as_str(), "ovs-0");
        }
        for config in [json!({}), json!({"deviceID": "", "runtimeConfig": {"deviceID": null}})] {
            let error = parse(&config).unwrap_err();
            assert_eq!(error.code(), 101);
            assert!(error.to_string().contains("k8s.v1.cni.cncf.io/resourceName"), "{error}");
        }
    }

    #[test]
    fn only_the_kubelet_allocates_devices() {
        let refusal = |config: Value| {
            let mistakes = Mistakes::default();
            refuse_unallocated(&config, &mistakes);
            mistakes.to_string()
        };
        for config in [
            json!({"deviceID": "ovs-0"}),
            json!({"deviceID": "ovs-0", "runtimeConfig": {"deviceID": "ovs-0"}}),
            json!({"runtimeConfig": {"deviceID": ""}}),
            json!({}),
        ] {
            assert_eq!(refusal(config), "");
        }
        expect![[r#"
            runtimeConfig.deviceID: 'ovs-0' without the top-level deviceID, which only the kubelet's allocation sets: a pod annotation can set this one, so it does not show that the pod has the device; the NAD's annotation k8s.v1.cni.cncf.io/resourceName must name the vhost-user device plugin's resource, and the pod must request that resource
        "#]]
        .assert_eq(&(refusal(json!({"deviceID": "", "runtimeConfig": {"deviceID": "ovs-0"}})) + "\n"));
    }

    #[test]
    fn tells_every_mistake() {
        let error = parse(&json!({
            "deviceID": "0000:03:02.0",
            "runtimeConfig": {"deviceID": "ovs-0", "CNIDeviceInfoFile": "x", "mac": "01:00:00:00:00:00"},
        }))
        .unwrap_err();
        assert_eq!(
            error.to_string(),
            "network configuration: runtimeConfig.CNIDeviceInfoFile: 'x' is no absolute path; runtimeConfig.mac: \
             '01:00:00:00:00:00' is a multicast address: the first octet must be even; deviceID: '0000:03:02.0' differs \
             from runtimeConfig.deviceID 'ovs-0': which device the pod has is not certain; deviceID: invalid \
             device ID '0000:03:02.0': expected 1 to 63 lower-case letters, digits and '-', starting and ending with a \
             letter or digit"
        );
        assert_eq!(error.code(), 7);
        let error = parse(&json!({"deviceID": 5})).unwrap_err();
        assert_eq!(error.to_string(), "network configuration: deviceID: must be a text");
    }

    #[test]
    fn the_configurations_mac_comes_first() {
        let args = Args { mac: Some("02:00:00:00:00:01".parse().unwrap()), ..Args::default() };
        let mac = |config: &Value| parse_with(config, &args).unwrap().mac.unwrap().to_string();
        assert_eq!(mac(&json!({"deviceID": "a"})), "02:00:00:00:00:01");
        let config = json!({"deviceID": "a", "runtimeConfig": {"mac": "02:00:00:00:00:02"}});
        assert_eq!(mac(&config), "02:00:00:00:00:02");
        assert_eq!(parse(&json!({"deviceID": "a"})).unwrap().mac, None);
    }

    #[test]
    fn no_list_is_not_an_empty_list() {
        let item = json!({"containerID": "c", "ifname": "net1"});
        for key in ["cni.dev/valid-attachments", "cni.dev/attachments"] {
            assert_eq!(valid_attachments(&json!({key: [item]})).unwrap().len(), 1);
            assert!(valid_attachments(&json!({key: []})).unwrap().is_empty());
            assert!(valid_attachments(&json!({key: null})).unwrap().is_empty());
            for bad in [json!({}), json!([{"containerID": "c"}]), json!([5])] {
                assert_eq!(valid_attachments(&json!({key: bad})).unwrap_err().code(), 7);
            }
        }
        let error = valid_attachments(&json!({})).unwrap_err();
        assert_eq!(
            error.to_string(),
            "network configuration: cni.dev/valid-attachments: is missing: GC does not guess which attachments are in use"
        );
    }
}
