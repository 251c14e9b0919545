//! The pure path of a hook call, so many times: `pure DOMAIN VMI NETWORK-INFO TIMES`.

use std::{env, fs, hint::black_box, io::Write};

use anyhow::{Context, Result};
use network_vhostuser_binding::{
    config::{Layout, NicConfig, NicDefaults},
    define,
    downwardapi::NetworkInfo,
    plan::Attachments,
    vmi::Vmi,
};
use vocabulary::ComputePath;

fn config() -> Result<NicConfig> {
    let hooks = "/var/run/kubevirt-hooks";
    let layout = Layout::new(hooks.into(), &ComputePath::directory(hooks)?, None);
    Ok(NicConfig::new(None, layout, NicDefaults::default()))
}

fn main() -> Result<()> {
    let arguments: Vec<_> = env::args().skip(1).collect();
    let [domain, vmi, info, times] = arguments.as_slice() else {
        anyhow::bail!("usage: pure DOMAIN VMI NETWORK-INFO TIMES");
    };
    let (domain, vmi) = (fs::read(domain)?, fs::read(vmi)?);
    let info =
        NetworkInfo::parse(&fs::read(info)?, "network-info").map_err(|error| anyhow::anyhow!("{error}"))?;
    let attachments = attachments(&info)?;
    let config = config()?;
    let mut answer = String::new();
    for _ in 0..times.parse::<u32>()? {
        let vmi = Vmi::parse(black_box(&vmi))?;
        let prepared = define::prepare(&vmi, black_box(&domain), &config)?.context("no NIC of ours")?;
        answer = prepared.define(&attachments, &Attachments::new(), &config)?.xml;
    }
    std::io::stdout().write_all(answer.as_bytes())?;
    Ok(())
}

fn attachments(info: &NetworkInfo) -> Result<Attachments> {
    ["dpdk0", "dpdk1"]
        .into_iter()
        .map(|name| {
            let network = name.parse()?;
            let attachment = info.attachment(&network)?.context("the demo's network")?;
            Ok((network, attachment))
        })
        .collect()
}
