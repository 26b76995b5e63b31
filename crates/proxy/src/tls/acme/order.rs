//! One certificate, from the first word to the last: an account, an order, a challenge for each of
//! its hosts, and what is given in the end.

use std::fmt;
use std::time::Duration;

use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, ChallengeType, Identifier, NewAccount,
    NewOrder, OrderStatus, RetryPolicy,
};

use super::challenge::{Challenges, Shown};
use super::store::{Store, StoreError};
use super::web::Web;
use crate::config::{AcmeChallenge, AcmeSettings};
use crate::tls::CertificateError;
use crate::tls::certificate::Texts;

/// How long an authority may take to look, and to sign.
const PATIENCE: RetryPolicy =
    RetryPolicy::new().initial_delay(Duration::from_millis(500)).timeout(Duration::from_secs(120));

/// Why no certificate was given.
#[derive(Debug)]
pub(super) struct Failure(String);

impl Failure {
    pub(super) fn new(why: impl Into<String>) -> Self {
        Failure(why.into())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<instant_acme::Error> for Failure {
    fn from(error: instant_acme::Error) -> Self {
        Failure(error.to_string())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Failure(error.to_string())
    }
}

impl From<CertificateError> for Failure {
    fn from(error: CertificateError) -> Self {
        Failure(error.to_string())
    }
}

/// The account that the store has, if the authority is the one that it is with; else a new one.
pub(super) async fn account(settings: &AcmeSettings, store: &Store) -> Result<Account, Failure> {
    let builder = || Account::builder_with_http(Box::new(Web(settings.ca_file.clone())));
    if let Some(text) = store.account()?
        && let Ok(Kept { directory, credentials }) = serde_json::from_slice(&text)
        && directory == settings.directory
    {
        return Ok(builder().from_credentials(credentials).await?);
    }
    let contact: Vec<&str> = settings.contact.iter().map(String::as_str).collect();
    let wanted = NewAccount {
        contact: &contact,
        terms_of_service_agreed: true,
        only_return_existing: false,
    };
    let (account, credentials) =
        builder().create(&wanted, settings.directory.clone(), None).await?;
    let kept = Kept { directory: settings.directory.clone(), credentials };
    let text = serde_json::to_vec(&kept).map_err(|error| Failure::new(error.to_string()))?;
    store.keep_account(&text)?;
    Ok(account)
}

/// An account, and with whom.
#[derive(serde::Serialize, serde::Deserialize)]
struct Kept {
    directory: String,
    credentials: AccountCredentials,
}

/// Orders a certificate for a host.
pub(super) async fn certificate(
    account: &Account,
    settings: &AcmeSettings,
    host: &str,
    challenges: &Challenges,
) -> Result<Texts, Failure> {
    let wanted = [Identifier::Dns(host.to_owned())];
    let mut order = account.new_order(&NewOrder::new(&wanted)).await?;
    let mut shown = Vec::new();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization?;
        match authorization.status {
            AuthorizationStatus::Pending => {}
            AuthorizationStatus::Valid => continue,
            AuthorizationStatus::Invalid
            | AuthorizationStatus::Revoked
            | AuthorizationStatus::Expired
            | AuthorizationStatus::Deactivated => {
                return Err(Failure::new(
                    "the authority does not let the host be shown to lead here",
                ));
            }
        }
        let kind = match settings.challenge {
            AcmeChallenge::TlsAlpn => ChallengeType::TlsAlpn01,
            AcmeChallenge::Http => ChallengeType::Http01,
        };
        let Some(mut challenge) = authorization.challenge(kind) else {
            return Err(Failure::new("the authority does not offer that `challenge`"));
        };
        let proof = challenge.key_authorization();
        shown.push(show(settings, challenges, host, &challenge.token, &proof)?);
        challenge.set_ready().await?;
    }
    match order.poll_ready(&PATIENCE).await? {
        OrderStatus::Ready => {}
        OrderStatus::Pending
        | OrderStatus::Processing
        | OrderStatus::Valid
        | OrderStatus::Invalid => {
            let refused = why_invalid(&mut order).await;
            return Err(Failure::new(format!("the host does not lead here for it{refused}")));
        }
    }
    drop(shown);
    let key = order.finalize().await?;
    let chain = order.poll_certificate(&PATIENCE).await?;
    Ok(Texts { chain: chain.into_bytes(), key: key.into_bytes(), ocsp: None })
}

fn show<'a>(
    settings: &AcmeSettings,
    challenges: &'a Challenges,
    host: &str,
    token: &str,
    proof: &instant_acme::KeyAuthorization,
) -> Result<Shown<'a>, Failure> {
    match settings.challenge {
        AcmeChallenge::TlsAlpn => {
            let shown = challenges.show_certificate(host, proof.digest().as_ref());
            shown.map_err(Failure::new)
        }
        AcmeChallenge::Http => {
            let shown = challenges.show_text(token, proof.as_str());
            shown.ok_or_else(|| Failure::new("too many challenges are shown"))
        }
    }
}

/// What the authority says of the challenge that it was not content with.
async fn why_invalid(order: &mut instant_acme::Order) -> String {
    let mut authorizations = order.authorizations();
    while let Some(Ok(mut authorization)) = authorizations.next().await {
        let Ok(state) = authorization.refresh().await else { continue };
        let mut errors = state.challenges.iter().filter_map(|challenge| challenge.error.as_ref());
        if let Some(error) = errors.next() {
            return format!(": {error}");
        }
    }
    String::new()
}
