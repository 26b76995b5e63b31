use super::*;

/// Answers as it is told to; counts the questions.
#[derive(Default)]
struct Told {
    answer: Mutex<Option<Vec<IpAddr>>>,
    asked: Mutex<usize>,
}

impl Told {
    fn tell(&self, answer: Option<&[&str]>) {
        *self.answer.lock() = answer.map(|ips| ips.iter().map(|ip| ip.parse().unwrap()).collect());
    }
}

impl Resolve for Told {
    fn resolve(&self, _host: &str) -> Resolving {
        *self.asked.lock() += 1;
        let answer = self.answer.lock().clone();
        Box::pin(async move {
            tokio::time::sleep(Duration::from_secs(3)).await;
            answer.ok_or_else(|| io::ErrorKind::TimedOut.into())
        })
    }
}

fn names() -> (Arc<Told>, Arc<Names>) {
    let told = Arc::new(Told::default());
    (told.clone(), Arc::new(Names::new(told, Duration::from_secs(10))))
}

async fn first(names: &Arc<Names>) -> String {
    names.addresses("origin.example", 80).await.unwrap()[0].to_string()
}

#[tokio::test(start_paused = true)]
async fn an_address_resolves_to_itself() {
    let (told, names) = names();
    for (host, expected) in [("127.0.0.1", "127.0.0.1:80"), ("::1", "[::1]:80")] {
        assert_eq!(names.addresses(host, 80).await.unwrap()[0].to_string(), expected);
    }
    assert_eq!(*told.asked.lock(), 0);
}

#[tokio::test(start_paused = true)]
async fn several_addresses_take_turns_to_be_first() {
    let (told, names) = names();
    told.tell(Some(&["10.0.0.1", "10.0.0.2"]));
    let mut firsts = Vec::new();
    for _ in 0..3 {
        firsts.push(first(&names).await);
    }
    assert_eq!(firsts, ["10.0.0.1:80", "10.0.0.2:80", "10.0.0.1:80"]);
    assert_eq!(*told.asked.lock(), 1);
}

#[tokio::test(start_paused = true)]
async fn an_old_answer_is_used_while_a_newer_one_is_asked_for() {
    let (told, names) = names();
    told.tell(Some(&["10.0.0.1"]));
    assert_eq!(first(&names).await, "10.0.0.1:80");
    told.tell(Some(&["10.0.0.2"]));
    tokio::time::sleep(Duration::from_secs(11)).await;
    let begun = Instant::now();
    assert_eq!(first(&names).await, "10.0.0.1:80");
    assert_eq!(begun.elapsed(), Duration::ZERO);
    assert_eq!(names.generation("origin.example"), 0);
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert_eq!(first(&names).await, "10.0.0.2:80");
    assert_eq!(names.generation("origin.example"), 1);
}

#[tokio::test(start_paused = true)]
async fn a_failing_resolver_keeps_the_last_good_answer() {
    let (told, names) = names();
    told.tell(Some(&["10.0.0.1"]));
    first(&names).await;
    for answer in [None, Some(&[][..])] {
        told.tell(answer);
        tokio::time::sleep(Duration::from_secs(11)).await;
        first(&names).await;
        tokio::time::sleep(Duration::from_secs(4)).await;
        assert_eq!(first(&names).await, "10.0.0.1:80");
    }
    assert_eq!(*told.asked.lock(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_name_without_an_address_is_an_error_of_its_own() {
    let (told, names) = names();
    for answer in [None, Some(&[][..])] {
        told.tell(answer);
        let error = names.addresses("origin.example", 80).await.unwrap_err();
        assert!(error.get_ref().is_some_and(|cause| cause.is::<NotResolved>()), "{error:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn each_address_of_an_answer_counts_once() {
    let (told, names) = names();
    told.tell(Some(&["10.0.0.1", "10.0.0.2", "10.0.0.1"]));
    assert_eq!(names.addresses("origin.example", 80).await.unwrap().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn names_that_nobody_uses_leave_when_there_are_too_many() {
    let told = Arc::new(Told::default());
    told.tell(Some(&["10.0.0.1"]));
    let names = Names { names_max: 32, ..Names::new(told.clone(), Duration::from_secs(3600)) };
    let names = Arc::new(names);
    for number in 0..100 {
        names.addresses(&format!("{number}.example"), 80).await.unwrap();
        names.generation("0.example");
        assert!(names.known.lock().len() <= 32);
    }
    let known = names.known.lock();
    assert!(known.contains_key("0.example") && known.contains_key("99.example"));
    assert!(!known.contains_key("1.example"));
}
