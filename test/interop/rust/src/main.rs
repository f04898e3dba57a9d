//! The interop suite for rskafka, which speaks to partitions and knows no groups.
//! Usage: BOOTSTRAP=host:port cargo run. A case prints "ok NAME"; the first difference panics.

use std::collections::BTreeMap;
use std::sync::OnceLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, Utc};
use rskafka::client::partition::{Compression, OffsetAt, PartitionClient, UnknownTopicHandling};
use rskafka::client::{Client, ClientBuilder};
use rskafka::record::Record;

const RECORDS: usize = 300;
const PARTITIONS: i32 = 3;
const DEADLINE: Duration = Duration::from_secs(60);

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bootstrap = std::env::var("BOOTSTRAP").expect("BOOTSTRAP names the broker");
    let client = ClientBuilder::new(vec![bootstrap]).build().await.expect("connect");
    let codecs = [
        ("none", Compression::NoCompression),
        ("gzip", Compression::Gzip),
        ("snappy", Compression::Snappy),
        ("lz4", Compression::Lz4),
        ("zstd", Compression::Zstd),
    ];
    for (name, codec) in codecs {
        check_codec(&client, name, codec).await;
    }
    check_admin(&client).await;
}

async fn check_codec(client: &Client, name: &str, codec: Compression) {
    let topic = format!("rs-{name}-{}", std::process::id());
    create(client, &topic).await;
    for partition in 0..PARTITIONS {
        let part = open(client, &topic, partition).await;
        let sent = records(partition);
        let offsets = part.produce(sent.clone(), codec).await.expect("produce");
        assert_eq!(offsets, (0..RECORDS as i64).collect::<Vec<_>>(), "{name}: offsets");
        assert_eq!(fetch_all(&part).await, sent, "{name}: partition {partition}");
        let latest = part.get_offset(OffsetAt::Latest).await.expect("latest offset");
        assert_eq!(latest, RECORDS as i64);
        part.delete_records(7, 60_000).await.expect("delete records");
        let earliest = part.get_offset(OffsetAt::Earliest).await.expect("earliest offset");
        assert_eq!(earliest, 7);
    }
    println!("ok rskafka codec {name}: {} records alike", RECORDS * PARTITIONS as usize);
}

async fn check_admin(client: &Client) {
    let topic = format!("rs-admin-{}", std::process::id());
    create(client, &topic).await;
    let listed = client.list_topics().await.expect("list topics");
    let found = listed.iter().find(|t| t.name == topic).expect("the topic is listed");
    assert_eq!(found.partitions.len(), PARTITIONS as usize);
    let controller = client.controller_client().expect("controller");
    controller.delete_topic(&topic, 60_000).await.expect("delete topic");
    let deadline = Instant::now() + DEADLINE;
    while client.list_topics().await.expect("list topics").iter().any(|t| t.name == topic) {
        assert!(Instant::now() < deadline, "the deleted topic is still listed");
    }
    println!("ok rskafka admin: create, list, delete");
}

async fn create(client: &Client, topic: &str) {
    let controller = client.controller_client().expect("controller");
    controller.create_topic(topic, PARTITIONS, 1, 60_000).await.expect("create topic");
}

async fn open(client: &Client, topic: &str, partition: i32) -> PartitionClient {
    client
        .partition_client(topic, partition, UnknownTopicHandling::Retry)
        .await
        .expect("partition client")
}

async fn fetch_all(part: &PartitionClient) -> Vec<Record> {
    let mut got = Vec::new();
    let deadline = Instant::now() + DEADLINE;
    while got.len() < RECORDS {
        assert!(Instant::now() < deadline, "{} of {RECORDS} records came", got.len());
        let (batch, _) = part
            .fetch_records(got.len() as i64, 1..1_000_000, 1_000)
            .await
            .expect("fetch");
        got.extend(batch.into_iter().map(|r| r.record));
    }
    got
}

fn records(partition: i32) -> Vec<Record> {
    (0..RECORDS)
        .map(|i| Record {
            key: (i % 7 != 0).then(|| format!("key-{partition}-{i}").into_bytes()),
            value: Some(format!("野猪套天下第一 {i} {}", "x".repeat(i % 257)).into_bytes()),
            headers: if i % 3 == 0 {
                BTreeMap::from([("i".to_owned(), i.to_string().into_bytes())])
            } else {
                BTreeMap::new()
            },
            timestamp: timestamp(started_ms() + i as i64),
        })
        .collect()
}

/// When the records are of: of records of long ago the broker's next round of retention leaves nothing.
fn started_ms() -> i64 {
    static STARTED: OnceLock<i64> = OnceLock::new();
    *STARTED.get_or_init(|| SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970").as_millis() as i64)
}

fn timestamp(ms: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(ms).expect("a time in range")
}
