//! A cache in the state of an axum server. Articles come from files, which stand for whatever is slow, fails, or has
//! no such thing. `cargo run -p forebay-cache --example axum -- 127.0.0.1:8000 DIRECTORY`
//!
//! | request | answer |
//! | --- | --- |
//! | `GET /articles/{name}` | the file's text without its first line, which names its author; `x-from` says where it comes from |
//! | `POST /articles/{name}/changed` | it is stale from now on, and stands in if it cannot be read |
//! | `POST /authors/{author}/purge` | all articles of this author are forgotten |

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use forebay_cache::{Cache, Error, Loaded, MIB, millis, minutes, secs};

#[derive(Clone)]
struct Library {
    articles: Cache<String, String>,
    directory: Arc<std::path::Path>,
}

async fn article(
    State(library): State<Library>,
    Path(name): Path<String>,
) -> Result<Response, Failure> {
    let path = path_of(&library, &name)?;
    let found = library.articles.get_or_load(&name, || read(path)).await?;
    let Some(text) = found.value else { return Err(Failure::NoSuchArticle) };
    let from = format!("{}; {:?}", found.from.word(), found.freshness);
    Ok(([("x-from", from)], text.to_string()).into_response())
}

async fn changed(
    State(library): State<Library>,
    Path(name): Path<String>,
) -> Result<StatusCode, Failure> {
    library.articles.invalidate(&name).await?;
    Ok(StatusCode::NO_CONTENT)
}

async fn purge(
    State(library): State<Library>,
    Path(author): Path<String>,
) -> Result<StatusCode, Failure> {
    library.articles.purge_tag(&author).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// The loader. That there is no file is no error, and is remembered too.
async fn read(path: PathBuf) -> io::Result<Loaded<String>> {
    match tokio::fs::read_to_string(path).await {
        Ok(file) => {
            let (author, text) = file.split_once('\n').unwrap_or(("", &file));
            Ok(Loaded::of(text.to_owned()).tag(author))
        }
        Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(Loaded::nothing()),
        Err(why) => Err(why),
    }
}

/// What a client names is one file of the directory, and none elsewhere.
fn path_of(library: &Library, name: &str) -> Result<PathBuf, Failure> {
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_name { Ok(library.directory.join(name)) } else { Err(Failure::NoSuchArticle) }
}

/// Why there is no article, as a response.
enum Failure {
    NoSuchArticle,
    Cache(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Cache(error)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let error = match self {
            Failure::NoSuchArticle => {
                return (StatusCode::NOT_FOUND, "no such article").into_response();
            }
            Failure::Cache(error) => error,
        };
        let status = match &error {
            Error::Load(_) | Error::LoadElsewhere => StatusCode::BAD_GATEWAY,
            Error::TooSlow(_) | Error::WaitedTooLong(_) => StatusCode::GATEWAY_TIMEOUT,
            Error::Key(_) => StatusCode::URI_TOO_LONG,
            // Nothing was removed, since the others could not be told.
            Error::Log(_) | Error::Tier(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
        (status, format!("{error}{}", cause.unwrap_or_default())).into_response()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(address), Some(directory)) = (arguments.next(), arguments.next()) else {
        return Err("say where to listen, and where articles lie: 127.0.0.1:8000 DIRECTORY".into());
    };
    let articles = Cache::builder("articles")
        .memory(64 * MIB)
        .weigh(|text: &String| size_of::<String>() + text.capacity())
        .ttl(minutes(5))
        .negative_ttl(secs(30))
        .stale_on_error(minutes(60))
        .soft_limit(millis(500))
        .hard_limit(secs(5))
        .build()
        .await?;
    let library = Library { articles, directory: PathBuf::from(directory).into() };
    let routes = Router::new()
        .route("/articles/{name}", get(article))
        .route("/articles/{name}/changed", post(changed))
        .route("/authors/{author}/purge", post(purge))
        .with_state(library);
    let listener = tokio::net::TcpListener::bind(address).await?;
    println!("listens on {}", listener.local_addr()?);
    axum::serve(listener, routes).await?;
    Ok(())
}
