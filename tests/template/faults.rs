//! Faults that are planted into copies of the template, one each: what checks it has to find them.

use anyhow::ensure;

use super::Finding;

/// One fault: `from`, where it stands first, becomes `to`.
pub(super) struct Fault {
    /// Who has to find it.
    pub(super) by: &'static str,
    /// By which rule.
    pub(super) rule: &'static str,
    from: &'static str,
    to: &'static str,
}

const fn fault(by: &'static str, rule: &'static str, from: &'static str, to: &'static str) -> Fault {
    Fault { by, rule, from, to }
}

const fn ours(rule: &'static str, from: &'static str, to: &'static str) -> Fault {
    fault("firstkey", rule, from, to)
}

pub(super) const FAULTS: [Fault; 46] = [
    ours(
        "open-route",
        "        EveryOtherPath:\n",
        "        Debug:\n          Type: HttpApi\n          Properties: { ApiId: !Ref Api, Method: GET, Path: /debug }\n        EveryOtherPath:\n",
    ),
    ours("wildcard-action", "Action: dynamodb:BatchWriteItem\n", "Action: dynamodb:*\n"),
    ours("wildcard-action", "                Action: ses:SendEmail\n", "                NotAction: iam:PassRole\n"),
    ours(
        "wildcard-resource",
        "Action: dynamodb:BatchWriteItem\n                Resource: !GetAtt Table.Arn\n",
        "Action: dynamodb:BatchWriteItem\n                Resource: \"*\"\n",
    ),
    ours("unguarded-set", "                  \"Null\": { dynamodb:LeadingKeys: \"false\" }\n", ""),
    ours("whole-table", "[\"SUBSCRIPTION#*\", \"PORTAL_USER#*\"]", "[\"*\"]"),
    ours(
        "unbound-seal",
        "kms:EncryptionContext:subscription: \"false\", kms:EncryptionContext:issue: \"false\"",
        "kms:EncryptionContext:subscription: \"false\"",
    ),
    ours(
        "seal-of-another",
        "[!GetAtt GetCredentialsRole.Arn, !GetAtt SendMailRole.Arn]",
        "[!GetAtt GetCredentialsRole.Arn, !GetAtt PortalRole.Arn]",
    ),
    ours("seal-of-another", "      RoleName: !Ref SendMailRole\n", "      RoleName: !Ref PortalRole\n"),
    ours(
        "seal-of-another",
        "            Action: kms:Decrypt\n",
        "            Action: [kms:Decrypt, kms:CreateGrant]\n",
    ),
    ours("table-key-elsewhere", "                kms:ViaService: !Sub dynamodb.${AWS::Region}.${AWS::URLSuffix}\n", ""),
    ours(
        "open-policy",
        "            Condition:\n              ArnEquals: { aws:SourceArn: !GetAtt SubscriptionStartedRule.Arn }\n",
        "",
    ),
    ours("open-policy", "Principal: { AWS: !Ref VendorAccounts }", "Principal: \"*\""),
    ours("shared-role", "Role: !GetAtt CreateAdminRole.Arn", "Role: !GetAtt SignInRole.Arn"),
    ours("target-without-dead-letters", "          DeadLetterConfig: { Arn: !GetAtt UndeliveredEvents.Arn }\n", ""),
    ours(
        "queue-without-dead-letters",
        "      RedrivePolicy: { deadLetterTargetArn: !GetAtt SendMailDeadLetters.Arn, maxReceiveCount: 5 }\n",
        "",
    ),
    ours("pipe-without-dead-letters", "          DeadLetterConfig: { Arn: !GetAtt UndeliveredMailOrders.Arn }\n", ""),
    ours("short-visibility", "VisibilityTimeout: 180", "VisibilityTimeout: 120"),
    ours("lease-outside-visibility", "    MaxValue: 150\n", "    MaxValue: 151\n"),
    ours("whole-batch", "            FunctionResponseTypes: [ReportBatchItemFailures]\n", ""),
    ours("unlimited-mapping", "            ScalingConfig: { MaximumConcurrency: !Ref MailConcurrency }\n", ""),
    ours(
        "time-out-above-api",
        "Role: !GetAtt CreateAdminRole.Arn\n      MemorySize: 1769\n      Timeout: 10\n",
        "Role: !GetAtt CreateAdminRole.Arn\n      MemorySize: 1769\n      Timeout: 60\n",
    ),
    ours("mail-without-tls", "TlsPolicy: REQUIRE", "TlsPolicy: OPTIONAL"),
    ours(
        "mail-without-tls",
        "      ConfigurationSetAttributes: { ConfigurationSetName: !Ref MailConfiguration }\n",
        "",
    ),
    ours("mail-without-feedback", "reject, bounce, complaint", "reject, complaint"),
    ours("log-without-retention", "      RetentionInDays: !Ref LogRetentionDays\n", ""),
    ours("function-without-log", "      LoggingConfig: { LogFormat: JSON, LogGroup: !Ref SignInLogGroup }\n", ""),
    ours("function-without-trace", "    Tracing: Active\n", "    Tracing: PassThrough\n"),
    ours(
        "function-without-alarm",
        "Dimensions: [{ Name: FunctionName, Value: !Ref SignIn }]",
        "Dimensions: [{ Name: FunctionName, Value: !Ref Portal }]",
    ),
    ours(
        "dead-letters-without-alarm",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt UndeliveredEvents.QueueName }]",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt SendMailQueue.QueueName }]",
    ),
    ours("silent-alarm", "      AlarmActions: [!Ref Alarms]\n", ""),
    ours("personal-access-log", "$context.routeKey", "$context.path"),
    ours("unprotected-data", "      DeletionProtectionEnabled: true\n", "      DeletionProtectionEnabled: false\n"),
    ours("unprotected-data", "    DeletionPolicy: Retain\n", "    DeletionPolicy: Delete\n"),
    ours("bare-parameter", "    MinValue: 2\n    MaxValue: 1000\n", ""),
    // An event gives its name to a resource, and there is a queue of this name.
    fault("sam", "sam", "        Messages:\n", "        Queue:\n"),
    fault("cfn-lint", "E3002", "      BillingMode: PAY_PER_REQUEST\n", "      BillingMod: PAY_PER_REQUEST\n"),
    fault("cfn-lint", "E1010", "Resource: !GetAtt VendorBus.Arn", "Resource: !GetAtt VendorBuss.Arn"),
    fault("cfn-lint", "E1020", "Endpoint: !Ref AlarmEmail }", "Endpoint: !Ref AlarmMail }"),
    // A role and the policy of a key that name each other.
    fault(
        "cfn-lint",
        "E3004",
        "Resource: !GetAtt Table.Arn\n",
        "Resource: [!GetAtt Table.Arn, !GetAtt SealingKey.Arn]\n",
    ),
    fault("checkov", "CKV_AWS_28", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    fault("checkov", "CKV_AWS_7", "EnableKeyRotation: true", "EnableKeyRotation: false"),
    fault(
        "checkov",
        "CKV_AWS_258",
        "      Role: !GetAtt PortalRole.Arn\n",
        "      Role: !GetAtt PortalRole.Arn\n      FunctionUrlConfig: { AuthType: NONE }\n",
    ),
    fault("parliament", "UNKNOWN_ACTION", "dynamodb:ConditionCheckItem\n", "dynamodb:ConditionCheckItems\n"),
    fault(
        "parliament",
        "UNKNOWN_CONDITION_FOR_ACTION",
        "{ dynamodb:LeadingKeys: [\"PORTAL_USER#*\"] }",
        "{ dynamodb:LeadingKey: [\"PORTAL_USER#*\"] }",
    ),
    fault(
        "parliament",
        "RESOURCE_MISMATCH",
        "Resource: [!GetAtt SendMailQueue.Arn, !GetAtt UndeliveredMailOrders.Arn]",
        "Resource: !GetAtt Table.Arn",
    ),
];

impl Fault {
    /// A name for files: the rule, and where in the list it stands.
    pub(super) fn name(&self) -> String {
        let place = FAULTS.iter().position(|fault| (fault.rule, fault.from) == (self.rule, self.from));
        format!("{:02}-{}", place.unwrap_or_default(), self.rule)
    }

    /// Whether a finding is about this fault.
    pub(super) fn is(&self, finding: &Finding) -> bool {
        (finding.by.as_str(), finding.rule.as_str()) == (self.by, self.rule)
    }

    /// The template with this fault in it.
    pub(super) fn planted(&self, text: &str) -> anyhow::Result<String> {
        ensure!(text.contains(self.from), "the fault {} finds no place: {}", self.name(), self.from);
        Ok(text.replacen(self.from, self.to, 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::rules, *};

    #[test]
    fn every_rule_of_ours_has_a_fault_to_find() {
        let planted: BTreeSet<_> =
            FAULTS.iter().filter(|fault| fault.by == "firstkey").map(|fault| fault.rule).collect();
        assert_eq!(planted, rules::names().collect());
    }

    #[test]
    fn a_fault_that_finds_no_place_is_named() {
        let refusal = FAULTS[0].planted("Resources: {}").expect_err("no place");
        assert!(refusal.to_string().contains("00-open-route"), "{refusal}");
    }
}
