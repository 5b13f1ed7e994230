//! The deprecated operations of the contract.

use contract::{Operation, v1, v2};

use crate::domain::{ApiVersion, Brownout, DeprecatedOperation, Timestamp};

/// Returns the deprecated operations of all versions, with their brownouts.
#[must_use]
pub fn deprecated_operations(brownouts: &[Brownout]) -> Vec<DeprecatedOperation> {
    let of = |version, base: &'static str| {
        move |operation: &'static Operation| Some((version, base, operation, operation.deprecation.as_ref()?))
    };
    let v1 = v1::document::operations().filter_map(of(ApiVersion::V1, v1::document::BASE));
    let v2 = v2::document::operations().filter_map(of(ApiVersion::V2, v2::document::BASE));
    v1.chain(v2)
        .map(|(version, base, operation, deprecation)| {
            let of_operation = brownouts.iter().filter(|brownout| brownout.operation == operation.id);
            let mut brownouts: Vec<Brownout> = of_operation.cloned().collect();
            brownouts.sort_by_key(|brownout| brownout.starts_at);
            DeprecatedOperation {
                version,
                operation: operation.id,
                method: operation.method,
                path: format!("{base}{}", operation.path),
                since: Timestamp::from_seconds(deprecation.since_seconds()),
                sunset: Timestamp::from_seconds(deprecation.sunset_seconds()),
                successor: deprecation.successor,
                reference: reference_path(operation.method, deprecation.successor),
                brownouts,
            }
        })
        .collect()
}

/// Returns the path of the documentation of the operation with this method and path template in `/reference`.
fn reference_path(method: &str, path: &str) -> Option<String> {
    let versions = [("v1", v1::contract()), ("v2", v2::contract())];
    versions.into_iter().find_map(|(version, contract)| {
        let operation = contract.operations().find(|operation| operation.method == method && operation.path == path)?;
        // The page of a tag: `ApiClients` is `api-clients`.
        let mut page = String::new();
        for (index, character) in operation.tag.char_indices() {
            if index > 0 && character.is_uppercase() {
                page.push('-');
            }
            page.extend(character.to_lowercase());
        }
        Some(format!("/reference/{version}/{page}#{}", operation.id))
    })
}
