use std::os::unix::fs::PermissionsExt;

use super::*;

/// A directory of its own; dropped, it is removed.
struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        let path = std::env::temp_dir().join(format!("forebay-token-{:x}", rand::random::<u64>()));
        fs::create_dir(&path).unwrap();
        Place(path)
    }

    fn sub(&self) -> PathBuf {
        self.0.join("forebay")
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn at(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[test]
fn a_token_is_found_by_its_user_until_its_process_ends() {
    let place = Place::new();
    let made = MadeToken::make_in(&[place.sub()], at(8081)).unwrap();
    assert_eq!(made.token().len(), 64);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(made.path()), mode(&place.sub())), (0o600, 0o700));
    assert_eq!(read(&place.sub(), at(8081)).as_deref(), Some(made.token()));
    assert_eq!(read(&place.sub(), at(8082)), None);
    drop(made);
    assert_eq!(read(&place.sub(), at(8081)), None);
}

#[test]
fn each_process_has_a_token_of_its_own() {
    let place = Place::new();
    let one = MadeToken::make_in(&[place.sub()], at(1)).unwrap();
    let other = MadeToken::make_in(&[place.sub()], at(2)).unwrap();
    assert_ne!(one.token(), other.token());
    assert_eq!(read(&place.sub(), at(1)).as_deref(), Some(one.token()));
}

#[test]
fn what_a_killed_process_left_is_removed_and_what_a_living_one_holds_stays() {
    let place = Place::new();
    let living = MadeToken::make_in(&[place.sub()], at(1)).unwrap();
    let left = place.sub().join(name(at(2)));
    fs::write(&left, "left").unwrap();
    let other = place.sub().join("notes");
    fs::write(&other, "mine").unwrap();
    let _new = MadeToken::make_in(&[place.sub()], at(3)).unwrap();
    assert!(!left.exists() && living.path().exists() && other.exists());
}

#[test]
fn a_place_that_others_can_write_to_is_passed_over() {
    let (open, own) = (Place::new(), Place::new());
    fs::set_permissions(&open.0, PermissionsExt::from_mode(0o777)).unwrap();
    let link = own.0.join("link");
    std::os::unix::fs::symlink(&own.0, &link).unwrap();
    let refused = [open.0.clone(), link, own.0.join("no/such")];
    let message = MadeToken::make_in(&refused, at(1)).unwrap_err();
    for why in ["others may write there", "it is no directory", "No such file"] {
        assert!(message.contains(why), "{message}");
    }
    let made = MadeToken::make_in(&[open.0.clone(), own.sub()], at(1)).unwrap();
    assert!(made.path().starts_with(own.sub()));
    // And nothing is read from there either.
    fs::write(open.0.join(name(at(1))), "planted").unwrap();
    assert_eq!(read(&open.0, at(1)), None);
}

#[test]
fn a_link_in_the_place_of_the_file_is_replaced() {
    let place = Place::new();
    fs::create_dir(place.sub()).unwrap();
    let victim = place.0.join("victim");
    fs::write(&victim, "as it was").unwrap();
    std::os::unix::fs::symlink(&victim, place.sub().join(name(at(1)))).unwrap();
    let made = MadeToken::make_in(&[place.sub()], at(1)).unwrap();
    assert_eq!(fs::read_to_string(victim).unwrap(), "as it was");
    assert!(fs::symlink_metadata(made.path()).unwrap().is_file());
}
