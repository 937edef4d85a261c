use std::sync::Arc;

use super::{
    Admin, AdminError, ConfigChange, ConfigEntry, ConfigResource, ConfigSource,
    exchange::Target,
    ledger::{Ledger, Refusal, Subject},
};
use crate::wire::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest,
    describe_configs_request::DescribeConfigsResource,
    incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig},
    message,
};

impl Admin {
    /// Every setting of a resource, with where its value comes from, by name (DescribeConfigs, KIP-133).
    ///
    /// A broker's settings are asked of that broker; the rest of any, which may be some milliseconds behind a change.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] if there is no such topic or broker; and see [`AdminError`].
    pub async fn describe_configs(&self, resource: &ConfigResource) -> Result<Vec<ConfigEntry>, AdminError> {
        let subjects = vec![Subject::Resource(resource.clone())];
        let ledger = Ledger::asking("DescribeConfigs", subjects, self.cluster.config().unknown_topic_patience);
        let target = match resource {
            ConfigResource::Broker(id) => Target::Broker(*id),
            _ => Target::Any,
        };
        let described = self
            .exchange(
                target,
                ledger,
                self.deadline(),
                |_, _| {
                    message!(DescribeConfigsRequest {
                        resources: vec![message!(DescribeConfigsResource {
                            resource_type: resource.kind(),
                            resource_name: (&*resource.name()).into(),
                            configuration_keys: None,
                        })],
                    })
                },
                |answer| {
                    let parts = answer.results.into_iter().map(|part| {
                        let message = part.error_message.as_ref().map(|text| text.as_str());
                        let result = Refusal::check(part.error_code, message).map(|()| {
                            let entries = part.configs.iter().map(|config| ConfigEntry {
                                name: Arc::from(config.name.as_str()),
                                value: config.value.as_ref().map(|value| Arc::from(value.as_str())),
                                source: ConfigSource::from_wire(config.config_source),
                                read_only: config.read_only,
                                sensitive: config.is_sensitive,
                            });
                            let mut entries: Vec<ConfigEntry> = entries.collect();
                            entries.sort_unstable_by(|a, b| a.name.cmp(&b.name));
                            entries
                        });
                        (part.resource_name.as_str().to_owned(), result)
                    });
                    parts.collect()
                },
            )
            .await;
        one(described, resource)
    }

    /// Changes settings of a resource and leaves its others as they are (IncrementalAlterConfigs, KIP-339): all the changes,
    /// or none.
    ///
    /// A broker's settings are changed by that broker; the rest by the controller. Other brokers hear of it some milliseconds
    /// later. To group and client-metrics resources it does not matter whether they exist yet.
    ///
    /// # Errors
    /// [`AdminError::Unknown`] if there is no such topic or broker; [`AdminError::Refused`] for an unknown setting or a bad
    /// value; and see [`AdminError`].
    pub async fn alter_configs(
        &self,
        resource: &ConfigResource,
        changes: impl IntoIterator<Item = ConfigChange>,
    ) -> Result<(), AdminError> {
        self.alter(resource, changes.into_iter().collect(), false).await
    }

    pub(super) async fn alter(
        &self,
        resource: &ConfigResource,
        changes: Vec<ConfigChange>,
        validate_only: bool,
    ) -> Result<(), AdminError> {
        let subjects = vec![Subject::Resource(resource.clone())];
        let target = match resource {
            ConfigResource::Broker(id) => Target::Broker(*id),
            _ => Target::Controller,
        };
        let altered = self
            .exchange(
                target,
                Ledger::changing("IncrementalAlterConfigs", subjects),
                self.deadline(),
                |_, _| {
                    let configs = changes.iter().map(|change| {
                        message!(AlterableConfig {
                            name: (&*change.name).into(),
                            config_operation: change.operation.to_wire(),
                            value: change.value.as_deref().map(Into::into),
                        })
                    });
                    message!(IncrementalAlterConfigsRequest {
                        resources: vec![message!(AlterConfigsResource {
                            resource_type: resource.kind(),
                            resource_name: (&*resource.name()).into(),
                            configs: configs.collect(),
                        })],
                        validate_only: validate_only,
                    })
                },
                |answer| {
                    let parts = answer.responses.into_iter().map(|part| {
                        let message = part.error_message.as_ref().map(|text| text.as_str());
                        (part.resource_name.as_str().to_owned(), Refusal::check(part.error_code, message))
                    });
                    parts.collect()
                },
            )
            .await;
        one(altered, resource)
    }
}

/// The one result of a call for one resource.
fn one<T>(results: Vec<Result<T, AdminError>>, resource: &ConfigResource) -> Result<T, AdminError> {
    let unknown = || Err(AdminError::Unknown { subject: Arc::from(resource.to_string()) });
    results.into_iter().next().unwrap_or_else(unknown)
}
