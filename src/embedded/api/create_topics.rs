use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use super::Caller;
use crate::{
    embedded::{
        config,
        names,
        placement::{self, Refusal},
        state::State,
    },
    model::TopicId,
    wire::{
        ErrorCode,
        messages::{
            CreateTopicsRequest, CreateTopicsResponse,
            create_topics_request::CreatableTopic,
            create_topics_response::{CreatableTopicConfigs, CreatableTopicResult},
            message,
        },
    },
};

const DETAILS_FROM: i16 = 5;
const IDS_FROM: i16 = 7;

/// New topics, each by itself: one that cannot be does not keep the others from being.
pub(super) fn answer(state: &mut State, caller: &Caller, request: CreateTopicsRequest) -> CreateTopicsResponse {
    let default = state.settings.default_partitions as usize;
    let wanted = |topic: &CreatableTopic| match usize::try_from(topic.num_partitions) {
        Ok(count) => count,
        Err(_) if topic.assignments.is_empty() => default,
        Err(_) => topic.assignments.len(),
    };
    if request.topics.iter().map(wanted).fold(0, usize::saturating_add) > placement::room(state) {
        let (code, why) = placement::too_many();
        let results = request.topics.iter().map(|topic| failed(topic, caller.version, code, Some(&why)));
        return message!(CreateTopicsResponse { topics: results.collect() });
    }
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for topic in &request.topics {
        if !seen.insert(topic.name.as_str()) {
            twice.insert(topic.name.as_str());
        }
    }
    let mut results = Vec::with_capacity(request.topics.len());
    let mut in_metrics: HashMap<String, Arc<str>> =
        state.topics.iter().map(|topic| (names::in_metrics(&topic.name), Arc::clone(&topic.name))).collect();
    for topic in request.topics.iter().filter(|topic| !twice.contains(topic.name.as_str())) {
        let result = match checked(state, topic, &in_metrics) {
            Ok(new) => {
                if !request.validate_only {
                    in_metrics.insert(names::in_metrics(topic.name.as_str()), Arc::from(topic.name.as_str()));
                }
                created(state, caller, topic, new, request.validate_only)
            }
            Err((code, why)) => failed(topic, caller.version, code, Some(&why)),
        };
        results.push(result);
    }
    for name in twice {
        let topic = message!(CreatableTopic { name: name.into() });
        results.push(failed(&topic, caller.version, ErrorCode::INVALID_REQUEST, Some("Duplicate topic name.")));
    }
    message!(CreateTopicsResponse { topics: results })
}

/// What a topic is made of.
struct New {
    replicas: Vec<Vec<i32>>,
    settings: BTreeMap<String, String>,
}

/// Whether it can be; `in_metrics` are the topics by what metrics call them.
fn checked(state: &State, topic: &CreatableTopic, in_metrics: &HashMap<String, Arc<str>>) -> Result<New, Refusal> {
    let name = topic.name.as_str();
    names::check_topic(name).map_err(|why| (ErrorCode::INVALID_TOPIC_EXCEPTION, why))?;
    if name == "__cluster_metadata" {
        let why = "Creation of internal topic __cluster_metadata is prohibited.".to_owned();
        return Err((ErrorCode::INVALID_REQUEST, why));
    }
    if state.topics.get(name).is_some() {
        return Err((ErrorCode::TOPIC_ALREADY_EXISTS, format!("Topic '{name}' already exists.")));
    }
    if let Some(other) = in_metrics.get(&names::in_metrics(name)) {
        let why = format!("Topic '{name}' collides with existing topic: {other}");
        return Err((ErrorCode::INVALID_TOPIC_EXCEPTION, why));
    }
    let nulls = topic.configs.iter().filter(|config| config.value.is_none()).map(|config| config.name.as_str());
    let nulls: Vec<&str> = nulls.collect();
    if !nulls.is_empty() {
        let why = format!("Null value not supported for topic configs: {}", nulls.join(","));
        return Err((ErrorCode::INVALID_CONFIG, why));
    }
    let settings = topic.configs.iter().flat_map(|config| Some((config.name.as_str(), config.value.as_ref()?)));
    let settings = settings.map(|(name, value)| (name.to_owned(), value.as_str().to_owned())).collect();
    config::check_topic(&settings).map_err(|why| (ErrorCode::INVALID_CONFIG, why))?;
    Ok(New { replicas: replicas(state, topic)?, settings })
}

fn replicas(state: &State, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Refusal> {
    let (count, replication) = (topic.num_partitions, topic.replication_factor);
    if !topic.assignments.is_empty() {
        return assigned(state, topic);
    }
    if replication < -1 || replication == 0 {
        let why = "Replication factor must be larger than 0, or -1 to use the default value.";
        return Err((ErrorCode::INVALID_REPLICATION_FACTOR, why.to_owned()));
    }
    if count < -1 || count == 0 {
        let why = "Number of partitions was set to an invalid non-positive value.";
        return Err((ErrorCode::INVALID_PARTITIONS, why.to_owned()));
    }
    let count = usize::try_from(count).unwrap_or(state.settings.default_partitions as usize);
    let replication = usize::try_from(replication).unwrap_or_else(|_| usize::from(state.default_replication()));
    placement::place(state, 0, count, replication)
}

fn assigned(state: &State, topic: &CreatableTopic) -> Result<Vec<Vec<i32>>, Refusal> {
    let not_minus_one = |what: &str| {
        let why = format!("A manual partition assignment was specified, but {what} was not set to -1.");
        Err((ErrorCode::INVALID_REQUEST, why))
    };
    if topic.replication_factor != -1 {
        return not_minus_one("replication factor");
    }
    if topic.num_partitions != -1 {
        return not_minus_one("numPartitions");
    }
    let mut partitions: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
    let mut count = None;
    for assignment in &topic.assignments {
        let partition = assignment.partition_index;
        if partitions.contains_key(&partition) {
            let why = format!("Found multiple manual partition assignments for partition {partition}");
            return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
        }
        placement::check(state, partition, &assignment.broker_ids, count)?;
        count = Some(assignment.broker_ids.len());
        partitions.insert(partition, assignment.broker_ids.clone());
    }
    if !partitions.keys().copied().eq(0..partitions.len() as i32) {
        let why = "partitions should be a consecutive 0-based integer sequence".to_owned();
        return Err((ErrorCode::INVALID_REPLICA_ASSIGNMENT, why));
    }
    Ok(partitions.into_values().collect())
}

fn created(
    state: &mut State,
    caller: &Caller,
    topic: &CreatableTopic,
    new: New,
    validate_only: bool,
) -> CreatableTopicResult {
    let (partitions, replication) = (new.replicas.len(), new.replicas.first().map_or(0, Vec::len));
    let mut result =
        message!(CreatableTopicResult { name: topic.name.clone(), error_message: None, configs: None });
    if caller.version >= DETAILS_FROM {
        let configs = config::topic(state, caller.broker, &new.settings).into_iter().map(|described| {
            message!(CreatableTopicConfigs {
                is_sensitive: described.is_sensitive(),
                name: described.name.into(),
                value: described.value.map(Into::into),
                read_only: described.read_only,
                config_source: described.source as i8,
            })
        });
        result.num_partitions = partitions as i32;
        result.replication_factor = replication as i16;
        result.configs = Some(configs.collect());
    }
    let id = match validate_only {
        true => TopicId::default(),
        false => state.create_topic_on(Arc::from(topic.name.as_str()), new.replicas, new.settings),
    };
    if caller.version >= IDS_FROM {
        result.topic_id = id.into();
    }
    result
}

fn failed(topic: &CreatableTopic, version: i16, code: ErrorCode, why: Option<&str>) -> CreatableTopicResult {
    message!(CreatableTopicResult {
        name: topic.name.clone(),
        error_code: code.code(),
        error_message: why.map(Into::into),
        num_partitions: -1,
        replication_factor: -1,
        configs: (version >= DETAILS_FROM).then(Vec::new),
    })
}

pub(super) fn refuse(request: &CreateTopicsRequest, version: i16, code: ErrorCode) -> CreateTopicsResponse {
    let topics = request.topics.iter().map(|topic| failed(topic, version, code, None));
    message!(CreateTopicsResponse { topics: topics.collect() })
}
