use serde_json::{Value, json};

use super::*;
use ovs_sim::{answer, soon};

fn uuid(number: u8) -> Value {
    json!(["uuid", format!("36bef046-7da7-43a5-905a-c17899216f{number:02x}")])
}

fn state(results: Vec<Value>) -> Result<BridgeState, OvsdbError> {
    let dir = tempfile::tempdir().unwrap();
    bridge_state(&answer(dir.path(), results), "br1", soon())
}

#[test]
fn finds_the_uplinks_of_this_bridge_only() {
    let bridge = json!([{"datapath_type": "netdev", "ports": ["set", [uuid(1), uuid(2), uuid(3)]]}]);
    let interfaces = json!([
        {"_uuid": uuid(11), "status": ["map", [["numa_id", "1"]]]},
        {"_uuid": uuid(12), "status": ["map", [["numa_id", "-1"]]]},
        {"_uuid": uuid(13), "status": ["map", []]},
        {"_uuid": uuid(14), "status": ["map", [["numa_id", "0"]]]},
        {"_uuid": uuid(15), "status": ["map", [["numa_id", "0"]]]},
    ]);
    let of = |port: u8| json!({"rows": [{"_uuid": uuid(port)}]});
    let second = json!([of(1), of(2), of(2), of(9), {"rows": []}]);
    let found = state(vec![json!([{"rows": bridge}, {"rows": interfaces}]), second]).unwrap();
    assert_eq!(
        found,
        BridgeState { datapath_type: "netdev".to_owned(), uplink_numa_nodes: vec![Some(1), None, None] }
    );
}

#[test]
fn a_bridge_without_uplinks_takes_one_question() {
    let bridge = json!({"rows": [{"datapath_type": "system", "ports": uuid(1)}]});
    let found = state(vec![json!([bridge, {"rows": []}])]).unwrap();
    assert_eq!(found, BridgeState { datapath_type: "system".to_owned(), uplink_numa_nodes: vec![] });
}

#[test]
fn no_bridge_is_not_the_same_as_no_switch() {
    let error = state(vec![json!([{"rows": []}, {"rows": []}])]).unwrap_err();
    assert!(matches!(&error, OvsdbError::NoBridge { bridge, .. } if bridge == "br1"), "{error}");
    assert!(!error.is_out_of_reach());
    let error = bridge_state(Path::new("/nonexistent"), "br1", soon()).unwrap_err();
    assert!(error.is_out_of_reach());
}

#[test]
fn a_column_of_another_kind_is_told() {
    let error =
        state(vec![json!([{"rows": [{"datapath_type": 1, "ports": uuid(1)}]}, {"rows": []}])]).unwrap_err();
    assert!(
        error.to_string().contains("column datapath_type: invalid type: integer `1`, expected a string"),
        "{error}"
    );
}
