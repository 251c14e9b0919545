//! `reduce` against KubeVirt's own bytes, and field by field where no bytes exist.

use crate::{DOMAIN, block, with_interface};
use launcher_sim::{reduce, reduce_keeping_qemu_commandline};

const NUMA: &str = include_str!("../../../../tests/fixtures/29-numa-passthrough-1Gi-one-node/domain.xml");
const ESCAPES: &str = include_str!("../../../../tests/fixtures/59-kernel-boot/domain.xml");
const QEMU_ARGS: &str = include_str!("../../../../tests/fixtures/69-seabios-debug-qemu-args/domain.xml");
const ANOTHERS_ANSWER: &str =
    include_str!("../../../../tests/fixtures/01-single-plus-masquerade/domain.pass3-redefine.xml");

const QEMU_NS: &str = " xmlns:qemu=\"http://libvirt.org/schemas/domain/qemu/1.0\"";

const FULL_INTERFACE: &str = "<interface type='vhostuser' trustGuestRxFilters='yes'>
    <source type='unix' path='/var/run/kubevirt-hooks/hook-sidecar-0/userdata/pod01/vhost.sock' mode='client'>
        <reconnect enabled='yes' timeout='1'/>
    </source>
    <target dev='pod0123456789a'/>
    <mac address='02:00:00:00:00:01'/>
    <model type='virtio-non-transitional'/>
    <driver queues='4' rx_queue_size='1024' tx_queue_size='1024' packed='on' iommu='on'>
        <host csum='off'/>
    </driver>
    <coalesce><rx><frames max='32'/></rx></coalesce>
    <bandwidth><inbound average='1'/></bandwidth>
    <virtualport type='openvswitch'/>
    <filterref filter='clean-traffic'/>
    <mtu size='9000'/>
    <backend type='passt' logFile='/a&#10;b'/>
    <link state='down'/>
    <boot order='2'/>
    <rom enabled='no' file='/x'/>
    <acpi index='7'/>
    <alias name='ua-dpdk0'/>
    <address type='pci' domain='0x0000' bus='0x02' slot='0x00' function='0x0' multifunction='on'/>
</interface>";

const REDUCED_INTERFACE: &str = r#"<interface type="vhostuser" trustGuestRxFilters="yes">
			<address type="pci" domain="0x0000" bus="0x02" slot="0x00" function="0x0"></address>
			<source mode="client"></source>
			<target dev="pod0123456789a"></target>
			<model type="virtio-non-transitional"></model>
			<mac address="02:00:00:00:00:01"></mac>
			<mtu size="9000"></mtu>
			<bandwidth></bandwidth>
			<boot order="2"></boot>
			<link state="down"></link>
			<filterref filter="clean-traffic"></filterref>
			<alias name="ua-dpdk0"></alias>
			<driver name="" queues="4" iommu="on"></driver>
			<rom enabled="no"></rom>
			<acpi index="7"></acpi>
			<backend type="passt" logFile="/a&#xA;b"></backend>
		</interface>"#;

#[test]
fn kubevirts_own_bytes_come_back_but_for_the_qemu_namespace() {
    for domain in [DOMAIN, NUMA, ESCAPES] {
        assert_eq!(reduce(domain), domain.replacen(QEMU_NS, "", 1));
        assert_eq!(reduce_keeping_qemu_commandline(domain), reduce(domain));
    }
}

#[test]
fn it_changes_its_own_output_no_further() {
    let once = reduce(&with_interface(FULL_INTERFACE));
    assert_eq!(reduce(&once), once);
}

#[test]
fn a_full_vhostuser_interface_is_cut_down_to_kubevirts_fields() {
    let reduced = reduce(&with_interface(FULL_INTERFACE));
    assert_eq!(block(&reduced, "<interface type=\"vhostuser\"", "</interface>"), REDUCED_INTERFACE);
    assert_eq!(reduced.replacen(&format!("\n\t\t{REDUCED_INTERFACE}"), "", 1), reduce(DOMAIN));
}

/// The recorded last call of a boot, from what its sidecar must have answered before.
#[test]
fn the_recorded_redefine_call_is_reproduced() {
    let answer = with_interface(
        "<interface type='vhostuser'>
            <source type='unix' path='/var/run/vhost-user/83f0c5d3/vhost.sock' mode='server'/>
            <model type='virtio'/>
            <driver queues='1'/>
            <mtu size='1500'/>
            <alias name='ua-dpdk0'/>
        </interface>",
    )
    .replacen("</domain>", "<memoryBacking><access mode='shared'/></memoryBacking></domain>", 1);
    assert_eq!(reduce(&answer), ANOTHERS_ANSWER);
}

#[test]
fn memory_backing_and_cells_keep_what_sharing_needs() {
    let domain = "<domain type='kvm'>
        <memoryBacking>
            <locked/>
            <access mode='shared'/>
            <discard/>
            <source type='memfd'/>
            <hugepages><page size='1' unit='GiB' nodeset='0'/></hugepages>
            <nosharepages/>
            <allocation mode='immediate'/>
        </memoryBacking>
        <cpu mode='host-model' check='none'>
            <numa>
                <cell id='0' cpus='0-3' memory='1' unit='GiB' memAccess='shared' discard='yes'/>
            </numa>
        </cpu>
    </domain>";
    let expected = r#"<domain type="kvm">
	<memoryBacking>
		<hugepages>
			<page size="1" unit="GiB" nodeset="0"></page>
		</hugepages>
		<source type="memfd"></source>
		<access mode="shared"></access>
		<allocation mode="immediate"></allocation>
		<nosharepages></nosharepages>
	</memoryBacking>
	<cpu mode="host-model">
		<numa>
			<cell id="0" cpus="0-3" memory="1" unit="GiB" memAccess="shared"></cell>
		</numa>
	</cpu>
</domain>"#;
    assert_eq!(reduce(domain), expected);
}

#[test]
fn what_has_no_field_is_lost() {
    let strangers = "<!-- c --><?pi x?><title>t</title><description>d</description>
        <unknown a='1'><b/></unknown>
        <qemu:override>
            <qemu:device alias='ua-dpdk0'>
                <qemu:frontend>
                    <qemu:property name='host_mtu' type='unsigned' value='9000'/>
                </qemu:frontend>
            </qemu:device>
        </qemu:override>";
    let foreign = "<metadata><x:y xmlns:x='urn:x'>text</x:y><kubevirt xmlns='urn:not-kubevirt'/>";
    let decorated = DOMAIN
        .replacen("<name>", &format!("{strangers}<name>"), 1)
        .replacen("<devices>", "<devices><!-- c --><shmem name='s'/>", 1)
        .replacen("<metadata>", foreign, 1);
    assert_eq!(reduce(&decorated), reduce(DOMAIN));
    assert_eq!(reduce_keeping_qemu_commandline(&decorated), reduce(DOMAIN));
}

#[test]
fn main_alone_keeps_the_qemu_command_line() {
    assert_eq!(reduce_keeping_qemu_commandline(QEMU_ARGS), QEMU_ARGS);
    let block = block(QEMU_ARGS, "\n\t<qemu:commandline>", "</qemu:commandline>");
    assert_eq!(reduce(QEMU_ARGS), QEMU_ARGS.replacen(block, "", 1).replacen(QEMU_NS, "", 1));
}

#[test]
fn main_finds_the_command_line_under_any_prefix() {
    let domain = "<domain type='kvm' xmlns:q='http://libvirt.org/schemas/domain/qemu/1.0'><q:commandline>\
        <q:arg value='-x'/><q:env name='A' value='\"B\" &amp; C'/></q:commandline></domain>";
    let expected = r#"<domain type="kvm" xmlns:qemu="http://libvirt.org/schemas/domain/qemu/1.0">
	<qemu:commandline>
		<qemu:env name="A" value="&#34;B&#34; &amp; C"></qemu:env>
		<qemu:arg value="-x"></qemu:arg>
	</qemu:commandline>
</domain>"#;
    assert_eq!(reduce_keeping_qemu_commandline(domain), expected);
}

#[test]
#[should_panic(expected = "KubeVirt cannot parse the answer")]
fn an_empty_answer_is_an_error_to_kubevirt() {
    reduce("");
}
