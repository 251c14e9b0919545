//! Whatever bytes come in: an error that says what to do, nothing made, and the server goes on.

use tokio::{io::AsyncWriteExt, net::UnixStream};
use tonic::Code;

use crate::{DOMAIN, VMI, answer, pod::Pod, sidecar::limited};
use launcher_sim::Layout;

const VERSIONS: &str =
    "KubeVirt sent a VMI that this sidecar cannot read: check that their versions are compatible";

const SIDECARS: &str =
    "KubeVirt or a sidecar that ran before this one wrote it: check the other hook sidecars of this VM";

/// Domain, VMI and what is said of them.
fn cases() -> Vec<(Vec<u8>, Vec<u8>, String)> {
    let vmi = |bytes: &[u8], text: &str| {
        (DOMAIN.as_bytes().to_vec(), bytes.to_vec(), format!("VMI: {text}; {VERSIONS}"))
    };
    let xml = |bytes: &[u8], text: &str| {
        (bytes.to_vec(), VMI.as_bytes().to_vec(), format!("domain XML{text}; {SIDECARS}"))
    };
    vec![
        vmi(b"", "the document ends too early (line 1, column 0)"),
        vmi(b"\xff\xfe\x00garbage", "the document is not JSON (line 1, column 1)"),
        vmi(b"[]", "the document is not a JSON object (line 1, column 2)"),
        vmi(&VMI.as_bytes()[..VMI.len() / 2], "the document ends too early (line 66, column 26)"),
        vmi(&b"[".repeat(100_000), "[0][0] has an unexpected type (line 1, column 2)"),
        xml(b"", ", line 1: there is no root element"),
        xml(b"\xff\xfe\x00garbage", ", line 1: not UTF-8"),
        xml(b"garbage", ", line 1: text outside the root element"),
        xml(b"<network/>", ": the root element is not <domain>"),
        xml(&DOMAIN.as_bytes()[..DOMAIN.len() / 2], ", line 44: it ends inside an element"),
        xml(&b"<a>".repeat(99_999), ", line 1: it ends inside an element"),
        xml(&b"x".repeat(4 << 20), ", line 1: text outside the root element"),
        xml(
            &b"x".repeat((4 << 20) + 1),
            ": 4194305 bytes, more than the 4194304 (4 MiB) that this sidecar edits",
        ),
        xml(
            format!("<domain><devices>{}</devices></domain>", "<a/>".repeat(100_000)).as_bytes(),
            ", line 1: more than 100000 elements, the most that this sidecar edits",
        ),
    ]
}

#[tokio::test]
async fn unusable_bytes_are_refused_and_the_server_goes_on() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        let before = pod.files();
        for (domain, vmi, text) in cases() {
            let status = sidecar.client().on_define_domain(domain, vmi).await.unwrap_err();
            assert_eq!((status.code(), status.message()), (Code::InvalidArgument, text.as_str()));
        }
        assert_eq!(pod.files(), before);
        assert_eq!(sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
    })
    .await;
}

/// What does not even speak the protocol.
#[tokio::test]
async fn other_protocols_do_no_harm() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], b"\0\0\0\0", &[0xff; 4096]] {
            let mut stream = UnixStream::connect(sidecar.socket()).await.unwrap();
            // The server may hang up in the middle.
            let _ = stream.write_all(bytes).await;
        }
        assert_eq!(sidecar.client().on_define_domain(DOMAIN, VMI).await.unwrap(), answer::to_domain());
    })
    .await;
}

/// A VMI of 5 MiB is decoded; what is over 16 MiB is not.
#[tokio::test]
async fn large_requests_are_decoded_up_to_the_limit() {
    limited(async {
        let pod = Pod::with_network_info(Layout::PerSidecar);
        let sidecar = pod.sidecar().start().await;
        let padded = |size: usize| {
            let padding = format!(r#""padding": "{}", "annotations""#, "x".repeat(size));
            VMI.replacen(r#""annotations""#, &padding, 1)
        };
        let answer = sidecar.client().on_define_domain(DOMAIN, padded(5 << 20)).await.unwrap();
        assert_eq!(answer, answer::to_domain());
        let answer = sidecar.client().on_define_domain(DOMAIN, padded(15 << 20)).await.unwrap();
        assert_eq!(answer, answer::to_domain());
        let status = sidecar.client().on_define_domain(DOMAIN, padded(16 << 20)).await.unwrap_err();
        assert_eq!(status.code(), Code::OutOfRange, "{status:?}");
        sidecar.client().info().await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_vm_without_a_nic_of_ours_gets_its_bytes_back() {
    limited(async {
        let pod = Pod::new();
        let sidecar = pod.sidecar().start().await;
        let none = VMI.replace(
            r#""binding": {
              "name": "vhostuser"
            }"#,
            r#""bridge": {}"#,
        );
        assert!(!none.contains("vhostuser"));
        let absent = VMI.replace(r#""name": "dpdk"#, r#""state": "absent", "name": "dpdk"#);
        for vmi in [none, absent] {
            for domain in [DOMAIN, "", "not XML, and none of our business"] {
                assert_eq!(sidecar.client().on_define_domain(domain, vmi.clone()).await.unwrap(), domain);
            }
        }
        assert_eq!(pod.files(), ["hook-sidecar-0", "hook-sidecar-0/vhostuser-hook-sidecar-0.sock"]);
    })
    .await;
}

#[tokio::test]
async fn cloud_init_data_goes_back_as_it_came() {
    limited(async {
        let pod = Pod::new();
        let sidecar = pod.sidecar().start().await;
        for data in [&b""[..], br#"{"UserData":"x"}"#, b"\xff\0"] {
            assert_eq!(sidecar.client().pre_cloud_init_iso(data, VMI).await.unwrap(), data);
        }
    })
    .await;
}
