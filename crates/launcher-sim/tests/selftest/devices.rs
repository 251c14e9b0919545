//! What is added between two calls.

use crate::{DOMAIN, block, with_interface};
use launcher_sim::{
    assign_pci_addresses, placeholders_for, with_placeholders, with_root_ports, with_unaliased_placeholders,
};

const FIRST_CALL: &str =
    include_str!("../../../../tests/fixtures/01-single-plus-masquerade/domain.pass1-placeholders.xml");
const NO_DEVICES: &str = include_str!("../../../../tests/fixtures/H19-empty-devices/domain.xml");

#[test]
fn placeholders_are_those_of_the_recorded_first_call() {
    assert_eq!(with_placeholders(DOMAIN, 2), FIRST_CALL);
    assert_eq!(with_placeholders(DOMAIN, 0), DOMAIN);
}

#[test]
fn the_releases_placeholders_have_no_alias() {
    let alias = |index| format!("\n\t\t\t<alias name=\"placeholder-{index}\"></alias>");
    let expected = FIRST_CALL.replacen(&alias(0), "", 1).replacen(&alias(1), "", 1);
    assert_eq!(with_unaliased_placeholders(DOMAIN, 2), expected);
}

#[test]
fn a_domain_without_devices_gets_its_first() {
    let expected = r#"	<devices>
		<interface type="ethernet">
			<source></source>
			<target dev="placeholder-0" managed="no"></target>
			<model type="virtio-non-transitional"></model>
			<alias name="placeholder-0"></alias>
		</interface>
	</devices>"#;
    assert_eq!(with_placeholders(NO_DEVICES, 1), NO_DEVICES.replacen("\t<devices></devices>", expected, 1));
}

#[test]
fn four_interfaces_need_no_placeholder() {
    assert_eq!([0, 1, 3, 4, 9].map(placeholders_for), [4, 3, 1, 0, 0]);
}

#[test]
fn every_bare_interface_gets_a_bus_of_its_own() {
    let addressed = r#"<interface type="vhostuser">
			<address type="pci" domain="0x0000" bus="0x01" slot="0x00" function="0x0"></address>
			<source mode="server"></source>
		</interface>"#;
    let bare = "<interface type=\"vhostuser\">\n\t\t\t<source mode=\"client\"></source>\n\t\t</interface>";
    let domain = with_interface(&format!("{addressed}\n\t\t{bare}"));
    let assigned = assign_pci_addresses(&domain);
    assert_eq!(
        assigned,
        domain
            .replacen("<source></source>", &format!("{}<source></source>", address_line("0x02")), 1)
            .replacen(
                "<source mode=\"client\">",
                &format!("{}<source mode=\"client\">", address_line("0x03")),
                1
            )
    );
    assert_eq!(assign_pci_addresses(&assigned), assigned);
}

fn address_line(bus: &str) -> String {
    let address =
        format!("<address type=\"pci\" domain=\"0x0000\" bus=\"{bus}\" slot=\"0x00\" function=\"0x0\">");
    format!("{address}</address>\n\t\t\t")
}

#[test]
fn root_ports_follow_the_controllers_and_count_on() {
    let two = with_root_ports(&with_root_ports(DOMAIN, 1), 1);
    let expected = r#"<controller type="virtio-serial" index="0" model="virtio-non-transitional"></controller>
		<controller type="pci" index="1" model="pcie-root-port"></controller>
		<controller type="pci" index="2" model="pcie-root-port"></controller>
		<video>"#;
    assert_eq!(block(&two, "<controller type=\"virtio-serial\"", "<video>"), expected);
    assert_eq!(with_root_ports(DOMAIN, 2), two);
}
