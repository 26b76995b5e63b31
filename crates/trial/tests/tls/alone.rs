//! TLS without a listener in the clear.

use std::sync::Arc;

use forebay_trial::client::Client;
use forebay_trial::folder::Folder;
use forebay_trial::patience::until;
use forebay_trial::process::Process;
use forebay_trial::real::free_address;
use tokio_rustls::rustls::{self, ClientConfig};

use crate::authority::Authority;
use crate::support::{PATIENCE, program, shake, write};

#[tokio::test]
async fn a_gateway_can_accept_by_tls_alone() {
    let (authority, folder) = (Authority::new(), Folder::new("tls-alone").unwrap());
    write(&folder, 0, &authority.issue(&["a.example"]));
    let secured = free_address().unwrap();
    let path = folder.path().display();
    let text = format!(
        "listen = []\nadmin = \"off\"\n[tls]\nlisten = [\"{secured}\"]\n[[tls.certificate]]\n\
         certificate_file = \"{path}/0.pem\"\nkey_file = \"{path}/0.key\"\n\
         [[route]]\nto = \"127.0.0.1:9\"\n"
    );
    let file = folder.write("f.toml", &text).unwrap();
    let process =
        Process::start(&program(), &["run", "--config", &file.to_string_lossy()]).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(authority.roots())
        .with_no_client_auth();
    let config = Arc::new(config);
    let accepts = async || shake(secured, "a.example", config.clone()).await.is_ok();
    let begun = until("TLS is spoken", PATIENCE, accepts).await;
    begun.unwrap_or_else(|why| panic!("{why}: {}", process.output()));
    let mut client =
        Client::over(Box::new(shake(secured, "a.example", config.clone()).await.unwrap()));
    let request = "GET / HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let answer = client.ask(request, PATIENCE).await.unwrap();
    assert_eq!(answer.head.status(), Ok(502), "nobody is its origin: {}", answer.shown());
    let said = process.output();
    assert!(said.contains(&format!("by TLS on   {secured}\n")), "{said}");
    assert!(!said.contains("listens on"), "{said}");
    assert!(said.contains(&format!("https://{secured}/")), "how to see why, by TLS: {said}");
}
