//! Deliberate mistakes, each of which is planted into its own copy of the template. The named check must find it.

use anyhow::ensure;

use super::Finding;

/// A planted fault: it replaces the first occurrence of `from` by `to`.
pub(super) struct Fault {
    /// The check that must find it.
    pub(super) by: &'static str,
    /// The rule of that check.
    pub(super) rule: &'static str,
    from: &'static str,
    to: &'static str,
}

const fn fault(by: &'static str, rule: &'static str, from: &'static str, to: &'static str) -> Fault {
    Fault { by, rule, from, to }
}

const fn own_rule(rule: &'static str, from: &'static str, to: &'static str) -> Fault {
    fault("firstkey", rule, from, to)
}

pub(super) const FAULTS: [Fault; 236] = [
    own_rule(
        "open-route",
        "        EveryOtherPath:\n",
        "        Debug:\n          Type: HttpApi\n          Properties: { ApiId: !Ref Api, Method: GET, Path: /debug }\n        EveryOtherPath:\n",
    ),
    own_rule("wildcard-action", "Action: dynamodb:BatchWriteItem\n", "Action: dynamodb:*\n"),
    own_rule("wildcard-action", "Action: secretsmanager:GetSecretValue\n", "Action: secretsmanager:*\n"),
    own_rule(
        "secret-in-environment",
        "          OIDC_CLIENT_SECRET_NAME: !Ref OidcClientSecretName\n",
        "          OIDC_CLIENT_SECRET_NAME: !Sub '{{resolve:secretsmanager:${OidcClientSecretName}}}'\n",
    ),
    own_rule("wildcard-action", "                Action: ses:SendEmail\n", "                NotAction: iam:PassRole\n"),
    own_rule(
        "wildcard-resource",
        "Action: dynamodb:BatchWriteItem\n                Resource: !If [CreatesTable, !GetAtt Table.Arn, ",
        "Action: dynamodb:BatchWriteItem\n                Resource: !If [CreatesTable, \"*\", ",
    ),
    own_rule("unguarded-set", "                  \"Null\": { dynamodb:LeadingKeys: \"false\" }\n", ""),
    own_rule("whole-table", "[\"COMPANY#*\", \"PORTAL_USER#*\"]", "[\"*\"]"),
    own_rule(
        "unbound-seal",
        "kms:EncryptionContext:subscription: \"false\", kms:EncryptionContext:issue: \"false\"",
        "kms:EncryptionContext:subscription: \"false\"",
    ),
    own_rule(
        "seal-of-another",
        "[!GetAtt GetCredentialsRole.Arn, !GetAtt SendMailRole.Arn]",
        "[!GetAtt GetCredentialsRole.Arn, !GetAtt PortalRole.Arn]",
    ),
    own_rule(
        "seal-of-another",
        "                - !GetAtt SubscriptionStartRole.Arn\n                - !GetAtt RenewCredentialsRole.Arn\n",
        "                - !GetAtt SubscriptionStartRole.Arn\n                - !GetAtt ResendMailRole.Arn\n",
    ),
    own_rule("seal-of-another", "      RoleName: !Ref SendMailRole\n", "      RoleName: !Ref PortalRole\n"),
    own_rule(
        "seal-of-another",
        "            Action: kms:Decrypt\n",
        "            Action: [kms:Decrypt, kms:CreateGrant]\n",
    ),
    own_rule(
        "table-key-elsewhere",
        "                kms:ViaService: !Sub dynamodb.${AWS::Region}.${AWS::URLSuffix}\n",
        "",
    ),
    own_rule(
        "open-policy",
        "            Condition:\n              ArnEquals: { aws:SourceArn: !GetAtt SubscriptionStartedRule.Arn }\n",
        "",
    ),
    own_rule("open-policy", "Principal: { AWS: !Ref VendorAccounts }", "Principal: \"*\""),
    own_rule(
        "seal-by-any-code",
        "${AWS::AccountId}:function:${Prefix}-send-mail\n",
        "${AWS::AccountId}:function:${Prefix}-*\n",
    ),
    own_rule(
        "seal-by-any-code",
        "${AWS::AccountId}:function:${Prefix}-renew-credentials\n",
        "${AWS::AccountId}:function:${Prefix}-resend-mail\n",
    ),
    own_rule("seal-by-any-code", "lambda:SourceFunctionArn: !Sub\n", "lambda:FunctionArn: !Sub\n"),
    own_rule("open-table", "                - dynamodb:Scan\n", ""),
    own_rule("open-table", "role${RolePath}${Prefix}-portal-${AWS::Region}\"", "role${RolePath}*\""),
    own_rule(
        "open-table",
        "                - dynamodb:UpdateItem\n              Resource: \"*\"\n              Condition:\n                ArnNotEquals:\n",
        "                - dynamodb:UpdateItem\n              Resource: \"*\"\n              Condition:\n                ArnEquals:\n",
    ),
    own_rule(
        "open-bus",
        "ArnNotEquals: { aws:PrincipalArn: !Ref BillingPrincipals }",
        "ArnNotEquals: { aws:PrincipalArn: \"*\" }",
    ),
    own_rule("open-bus", "        source: [!If [HasEventSource, !Ref EventSource, { anything-but: firstkey }]]\n", ""),
    own_rule("shared-role", "Role: !GetAtt CreateAdminRole.Arn", "Role: !GetAtt SignInRole.Arn"),
    own_rule("target-without-dead-letters", "          DeadLetterConfig: { Arn: !GetAtt UndeliveredEvents.Arn }\n", ""),
    own_rule(
        "queue-without-dead-letters",
        "      RedrivePolicy: { deadLetterTargetArn: !GetAtt SendMailDeadLetters.Arn, maxReceiveCount: 20 }\n",
        "",
    ),
    own_rule(
        "pipe-without-dead-letters",
        "          DeadLetterConfig: { Arn: !GetAtt UndeliveredMailOrders.Arn }\n",
        "",
    ),
    own_rule("short-visibility", "VisibilityTimeout: 180", "VisibilityTimeout: 120"),
    own_rule("lease-outside-visibility", "    MaxValue: 225\n", "    MaxValue: 226\n"),
    own_rule("whole-batch", "            FunctionResponseTypes: [ReportBatchItemFailures]\n", ""),
    own_rule("unlimited-mapping", "            ScalingConfig: { MaximumConcurrency: !Ref MailConcurrency }\n", ""),
    own_rule(
        "time-out-above-api",
        "Role: !GetAtt CreateAdminRole.Arn\n      MemorySize: 1769\n      Timeout: 10\n",
        "Role: !GetAtt CreateAdminRole.Arn\n      MemorySize: 1769\n      Timeout: 60\n",
    ),
    own_rule("time-out-below-budgets", "      Timeout: 15\n", "      Timeout: 10\n"),
    own_rule("time-out-below-budgets", "      Timeout: 45\n", "      Timeout: 30\n"),
    own_rule(
        "time-out-below-budgets",
        "Role: !GetAtt SignInRole.Arn\n      MemorySize: 1769\n      Timeout: 10\n",
        "Role: !GetAtt SignInRole.Arn\n      MemorySize: 1769\n      Timeout: 9\n",
    ),
    own_rule("mail-without-tls", "TlsPolicy: REQUIRE", "TlsPolicy: OPTIONAL"),
    own_rule("mail-without-tls", "          MAIL_CONFIGURATION_SET: !Ref MailConfiguration\n", ""),
    own_rule("mail-without-feedback", "deliveryDelay, bounce, complaint", "deliveryDelay, complaint"),
    own_rule("mail-without-feedback", "[send, delivery, deliveryDelay,", "[send, deliveryDelay,"),
    own_rule(
        "mail-without-feedback",
        "          EventBusArn: !Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default\n",
        "          EventBusArn: !Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/${AWS::StackName}\n",
    ),
    own_rule(
        "feedback-of-others",
        "              ses:configuration-set: [!Ref MailConfiguration]\n",
        "              round: [\"0\"]\n",
    ),
    own_rule(
        "feedback-of-others",
        "        source: [aws.ses]\n        account: [!Ref AWS::AccountId]\n",
        "        source: [aws.ses]\n",
    ),
    own_rule("feedback-of-others", "          - Email Bounced\n", ""),
    own_rule(
        "feedback-of-others",
        "      Description: What becomes of each mail of this stack\n",
        "      Description: What becomes of each mail of this stack\n      EventBusName: !Ref VendorBus\n",
    ),
    own_rule("schedule-of-another-period", "Schedule: rate(1 hour)", "Schedule: rate(1 day)"),
    own_rule(
        "retry-beyond-the-period",
        "EventInvokeConfig: { MaximumEventAgeInSeconds: 1800, ",
        "EventInvokeConfig: { ",
    ),
    own_rule("log-without-retention", "      RetentionInDays: !Ref LogRetentionDays\n", ""),
    own_rule("function-without-log", "      LoggingConfig: { LogFormat: JSON, LogGroup: !Ref SignInLogGroup }\n", ""),
    own_rule("unchosen-trace", "    Tracing: !Ref Tracing\n", "    Tracing: Active\n"),
    own_rule("unchosen-trace", "    Default: PassThrough\n", "    Default: Active\n"),
    own_rule("loud-system-log", "SystemLogLevel: WARN", "SystemLogLevel: INFO"),
    own_rule(
        "function-without-alarm",
        "Dimensions: [{ Name: FunctionName, Value: !Ref SignIn }]",
        "Dimensions: [{ Name: FunctionName, Value: !Ref Portal }]",
    ),
    own_rule(
        "dead-letters-without-alarm",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt UndeliveredEvents.QueueName }]",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt SendMailQueue.QueueName }]",
    ),
    own_rule("silent-alarm", "      AlarmActions: [!Ref Alarms]\n", ""),
    own_rule("silent-alarm", "      OKActions: [!Ref Alarms]\n", ""),
    own_rule("silent-alarm", "\"Severity 2: ", "\""),
    own_rule("unknown-metric", "MetricName: Latency", "MetricName: ResponseTime"),
    own_rule("unknown-metric", "Dimensions: [{ Name: PipeName, ", "Dimensions: [{ Name: Pipe, "),
    own_rule(
        "queue-without-age-alarm",
        "!GetAtt SubscriptionStartQueue.QueueName }]",
        "!GetAtt SendMailQueue.QueueName }]",
    ),
    own_rule(
        "rule-without-alarm",
        "{ Name: RuleName, Value: !Ref KeyTampering }",
        "{ Name: RuleName, Value: !Ref CodeTampering }",
    ),
    own_rule("rule-without-alarm", "{ Name: EventBusName, Value: !GetAtt VendorBus.Name }, ", ""),
    own_rule(
        "unheard-denial",
        "  PortalTableDenied:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      LogGroupName: !Ref PortalLogGroup\n",
        "  PortalTableDenied:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      LogGroupName: !Ref SignInLogGroup\n",
    ),
    own_rule("schedule-without-watch", "      TreatMissingData: breaching\n", "      TreatMissingData: notBreaching\n"),
    own_rule(
        "rule-without-alarm",
        "MetricName: InvocationsFailedToBeSentToDlq\n              Dimensions: [{ Name: RuleName, Value: !Ref MailFeedbackRule }]",
        "MetricName: InvocationsFailedToBeSentToDlq\n              Dimensions: [{ Name: RuleName, Value: !Ref PolicyTampering }]",
    ),
    own_rule(
        "dead-letters-without-alarm",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt UndeliveredMailFeedback.QueueName }]",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt MailFeedbackDeadLetters.QueueName }]",
    ),
    own_rule(
        "crowded-alarm",
        "        - Id: r0\n",
        "        - Id: r10\n          ReturnData: false\n          MetricStat:\n            Stat: Sum\n            Period: 300\n            Metric: { Namespace: AWS/Events, MetricName: FailedInvocations, Dimensions: [{ Name: RuleName, Value: !Ref MailFeedbackRule }] }\n        - Id: r0\n",
    ),
    own_rule("short-retention", "      MessageRetentionPeriod: 1209600\n", "      MessageRetentionPeriod: 345600\n"),
    own_rule(
        "bus-without-archive",
        "      SourceArn: !GetAtt VendorBus.Arn\n",
        "      SourceArn: !Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default\n",
    ),
    own_rule("pipe-without-log", "        Level: ERROR\n", "        Level: \"OFF\"\n"),
    own_rule(
        "pipe-without-log",
        "        Level: ERROR\n",
        "        Level: ERROR\n        IncludeExecutionData: [ALL]\n",
    ),
    own_rule("personal-access-log", "$context.routeKey", "$context.path"),
    own_rule("unprotected-data", "      DeletionProtectionEnabled: true\n", "      DeletionProtectionEnabled: false\n"),
    own_rule("unprotected-data", "    DeletionPolicy: Retain\n", "    DeletionPolicy: Delete\n"),
    own_rule("unprotected-data", "    DeletionPolicy: RetainExceptOnCreate\n", "    DeletionPolicy: Retain\n"),
    own_rule(
        "unprotected-data",
        "  SendMailDeadLetters:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: RetainExceptOnCreate\n",
        "  SendMailDeadLetters:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: Delete\n",
    ),
    own_rule("key-that-cannot-move", "      MultiRegion: !Ref SealingKeyMultiRegion\n", ""),
    own_rule("unrotatable-key", "              - kms:RotateKeyOnDemand\n", ""),
    own_rule("role-without-boundary", "      Path: !Ref RolePath\n", ""),
    own_rule(
        "role-without-boundary",
        "      PermissionsBoundary: !If [HasPermissionsBoundary, !Ref PermissionsBoundaryArn, !Ref AWS::NoValue]\n",
        "",
    ),
    own_rule(
        "long-name",
        "      Name: !If [HasNamePrefix, !Ref NamePrefix, !Ref AWS::StackName]\n",
        "      Name: !Ref AWS::StackName\n",
    ),
    own_rule("access-log-without-request", "$context.awsEndpointRequestId", "$context.requestId"),
    own_rule("log-in-shared-policy", "/aws/vendedlogs/apigateway/", "/aws/apigateway/"),
    own_rule("forwarded-bounce", "      FeedbackAttributes: { EmailForwardingEnabled: false }\n", ""),
    own_rule("unreported-tampering", "DisableKey, ScheduleKeyDeletion, ReplicateKey]", "DisableKey, ReplicateKey]"),
    own_rule(
        "unreported-tampering",
        "            ARN:\n              - !GetAtt SealingKey.Arn\n",
        "            ARN:\n",
    ),
    own_rule("unreported-tampering", "            - prefix: UpdateFunctionCode\n", ""),
    own_rule("unreported-tampering", "            - prefix: CreateFunction\n", ""),
    own_rule("unreported-tampering", "              - !Ref SendMailRole\n", ""),
    own_rule("unreported-tampering", "eventName: [PutResourcePolicy, ", "eventName: ["),
    own_rule("unreported-tampering", "              - !Ref RenewCredentialsRole\n", ""),
    own_rule(
        "changed-type",
        "  MailFeedback:\n    Type: AWS::SES::ConfigurationSetEventDestination\n",
        "  MailFeedback:\n    Type: AWS::SNS::Topic\n",
    ),
    own_rule(
        "stream-from-the-end",
        "StartingPosition: TRIM_HORIZON\n            BatchSize",
        "StartingPosition: LATEST\n            BatchSize",
    ),
    own_rule("batch-in-one-piece", "            BisectBatchOnFunctionError: true\n", ""),
    own_rule(
        "whole-batch",
        "            BisectBatchOnFunctionError: true\n            FunctionResponseTypes: [ReportBatchItemFailures]\n",
        "            BisectBatchOnFunctionError: true\n",
    ),
    own_rule("record-given-up", "            MaximumRetryAttempts: -1\n", "            MaximumRetryAttempts: 10\n"),
    own_rule("record-given-up", "            MaximumRecordAgeInSeconds: 82800\n", ""),
    own_rule("record-given-up", "MaximumRecordAgeInSeconds: 82800", "MaximumRecordAgeInSeconds: 604800"),
    own_rule(
        "stream-without-dead-letters",
        "            DestinationConfig: { OnFailure: { Destination: !GetAtt PublishEventsFailures.Arn } }\n",
        "",
    ),
    own_rule(
        "dead-letters-without-alarm",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt PublishEventsFailures.QueueName }]",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt SendMailDeadLetters.QueueName }]",
    ),
    own_rule(
        "unfiltered-stream",
        "{\"SK\": {\"S\": [{\"prefix\": \"EVENT#\"}]}}",
        "{\"SK\": {\"S\": [{\"prefix\": \"\"}]}}",
    ),
    own_rule(
        "unfiltered-stream",
        "[\"INSERT\", \"MODIFY\"], \"dynamodb\"",
        "[\"INSERT\", \"MODIFY\", \"REMOVE\"], \"dynamodb\"",
    ),
    own_rule("unfiltered-stream", "{\"SK\": {\"S\": [\"MAIL\"]}}", "{\"SK\": {\"S\": [{\"prefix\": \"MAIL\"}]}}"),
    own_rule(
        "unfiltered-stream",
        "                - Pattern: '{\"eventName\": [\"INSERT\"], ",
        "                - Pattern: '{\"dynamodb\": {\"Keys\": {\"SK\": {\"S\": [\"ACCOUNT\"]}}}}'\n                - Pattern: '{\"eventName\": [\"INSERT\"], ",
    ),
    own_rule(
        "crowded-stream",
        "        Stream:\n          Type: DynamoDB\n",
        "        Another:\n          Type: DynamoDB\n          Properties: { Stream: !GetAtt Table.StreamArn, StartingPosition: TRIM_HORIZON }\n        Stream:\n          Type: DynamoDB\n",
    ),
    own_rule("stream-without-age-alarm", "      MetricName: IteratorAge\n", "      MetricName: Errors\n"),
    own_rule("stream-without-age-alarm", "      Threshold: 900000\n", "      Threshold: 86400000\n"),
    own_rule(
        "publisher-elsewhere",
        "                  StringEquals: { events:source: firstkey }\n",
        "                  StringLike: { events:source: \"*\" }\n",
    ),
    own_rule(
        "publisher-elsewhere",
        "                Action: events:PutEvents\n                Resource: !GetAtt PublishedEvents.Arn\n",
        "                Action: events:PutEvents\n                Resource: [!GetAtt PublishedEvents.Arn, !GetAtt VendorBus.Arn]\n",
    ),
    own_rule("own-events-in", "{ anything-but: firstkey }", "{ anything-but: [] }"),
    own_rule("own-events-in", "    AllowedPattern: ^(?!firstkey$)", "    AllowedPattern: ^"),
    own_rule("own-events-in", "        source: [aws.ses]\n", "        source: [aws.ses, firstkey]\n"),
    own_rule(
        "short-archive",
        "!GetAtt PublishedEvents.Arn\n      RetentionDays: 30\n",
        "!GetAtt PublishedEvents.Arn\n      RetentionDays: 7\n",
    ),
    own_rule(
        "bus-without-archive",
        "      SourceArn: !GetAtt PublishedEvents.Arn\n",
        "      SourceArn: !Sub arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:event-bus/default\n",
    ),
    own_rule(
        "open-bus",
        "ArnNotEquals: { aws:PrincipalArn: !GetAtt PublishEventsRole.Arn }",
        "ArnNotEquals: { aws:PrincipalArn: \"*\" }",
    ),
    own_rule(
        "seal-of-another",
        "              - Sid: KeepFailures\n",
        "              - Sid: Unseal\n                Effect: Allow\n                Action: kms:Decrypt\n                Resource: !GetAtt SealingKey.Arn\n              - Sid: KeepFailures\n",
    ),
    own_rule("unreported-tampering", ", !Ref PublishedEvents, !GetAtt PublishedEvents.Arn]", "]"),
    own_rule("unreported-tampering", "              - !Ref PublishEventsRole\n", ""),
    own_rule(
        "seal-of-another",
        "                - !If [HasDesk, !GetAtt ReissueCredentialsRole.Arn, !Ref AWS::NoValue]\n",
        "                - !If [HasDesk, !GetAtt ChangeAccessRole.Arn, !Ref AWS::NoValue]\n",
    ),
    own_rule(
        "seal-by-any-code",
        "${AWS::AccountId}:function:${Prefix}-reissue-credentials\n",
        "${AWS::AccountId}:function:${Prefix}-*\n",
    ),
    own_rule(
        "open-table",
        "                      - !Sub [\"arn:${AWS::Partition}:iam::${AWS::AccountId}:role${RolePath}${Prefix}-support-desk-${AWS::Region}\"",
        "                      - !Sub [\"arn:${AWS::Partition}:iam::${AWS::AccountId}:role${RolePath}${Prefix}-desk-${AWS::Region}\"",
    ),
    own_rule(
        "unreported-tampering",
        "              - !If [HasDesk, !Ref ReissueCredentialsRole, !Ref AWS::NoValue]\n",
        "",
    ),
    own_rule(
        "open-route",
        "        PostAccountsUnlock:\n",
        "        Debug:\n          Type: HttpApi\n          Properties: { ApiId: !Ref DeskApi, Method: GET, Path: /desk/debug }\n        PostAccountsUnlock:\n",
    ),
    own_rule(
        "desk-without-condition",
        "    Type: AWS::Serverless::HttpApi\n    Condition: HasDesk\n",
        "    Type: AWS::Serverless::HttpApi\n",
    ),
    own_rule(
        "desk-without-condition",
        "  ReissueStorm:\n    Type: AWS::CloudWatch::Alarm\n    Condition: HasDesk\n",
        "  ReissueStorm:\n    Type: AWS::CloudWatch::Alarm\n",
    ),
    own_rule(
        "desk-without-condition",
        "  HasDeskDomain: !And [!Condition HasDesk, ",
        "  HasDeskDomain: !And [!Condition CreatesTable, ",
    ),
    own_rule(
        "desk-without-condition",
        "  HasDesk: !Not [!Equals [!Ref DeskOidcIssuer, \"\"]]\n",
        "  HasDesk: !Not [!Equals [!Ref DeskOrigin, \"\"]]\n",
    ),
    own_rule(
        "desk-without-condition",
        "              - !If [HasDesk, !Ref SupportDeskRole, !Ref AWS::NoValue]\n",
        "              - !Ref SupportDeskRole\n",
    ),
    own_rule(
        "desk-route-elsewhere",
        "ApiId: !Ref DeskApi, Method: POST, Path: \"/desk/api/subscriptions/{subscription_id}/reissues\"",
        "ApiId: !Ref Api, Method: POST, Path: \"/desk/api/subscriptions/{subscription_id}/reissues\"",
    ),
    own_rule(
        "desk-route-elsewhere",
        "ApiId: !Ref Api, Method: POST, Path: /sign-out",
        "ApiId: !Ref DeskApi, Method: POST, Path: /sign-out",
    ),
    own_rule(
        "desk-route-elsewhere",
        "ApiId: !Ref Api, Method: POST, Path: /sign-out",
        "ApiId: !Ref Api, Method: POST, Path: /desk/sign-out",
    ),
    own_rule(
        "desk-beside-customers",
        "ApiId: !Ref DeskApi, DomainName: !Ref DeskDomain,",
        "ApiId: !Ref DeskApi, DomainName: !Ref Domain,",
    ),
    own_rule(
        "desk-beside-customers",
        "      - Assert: !Not [!Equals [!Ref DeskDomainName, !Ref DomainName]]\n        AssertDescription: The support desk requires another host name than the portal\n",
        "",
    ),
    own_rule("desk-beside-customers", "[!Ref DeskOrigin, !Ref PublicOrigin]", "[!Ref DeskOrigin, \"\"]"),
    own_rule(
        "desk-of-everyone",
        "      - Assert: !Not [!Equals [!Ref DeskOidcRole, \"\"]]\n        AssertDescription: DeskOidcIssuer requires DeskOidcRole\n",
        "",
    ),
    own_rule("desk-of-everyone", "[!Ref DeskOidcClientId, !Ref OidcClientId]", "[!Ref DeskOidcClientId, \"portal\"]"),
    own_rule(
        "desk-that-unseals",
        "              - Sid: FindAccountsAndReferences\n",
        "              - Sid: Unseal\n                Effect: Allow\n                Action: kms:Decrypt\n                Resource: !GetAtt TableKey.Arn\n              - Sid: FindAccountsAndReferences\n",
    ),
    own_rule(
        "desk-that-unseals",
        "      RoleName: !Ref ReissueCredentialsRole\n      PolicyName: seal\n",
        "      RoleName: !Ref ChangeAccessRole\n      PolicyName: seal\n",
    ),
    own_rule(
        "desk-that-writes",
        "              - Sid: FindSubscriptions\n                Effect: Allow\n                Action: dynamodb:Query\n",
        "              - Sid: FindSubscriptions\n                Effect: Allow\n                Action: [dynamodb:Query, dynamodb:UpdateItem]\n",
    ),
    own_rule(
        "desk-setting-elsewhere",
        "          OIDC_CLIENT_SECRET_NAME: !Ref OidcClientSecretName\n",
        "          OIDC_CLIENT_SECRET_NAME: !Ref DeskOidcClientSecretName\n",
    ),
    own_rule("desk-setting-elsewhere", "          DESK_OIDC_ROLE: !Ref DeskOidcRole\n", ""),
    own_rule(
        "desk-setting-elsewhere",
        "          # The customers' client, which is refused as the operators'.\n          OIDC_ISSUER: !Ref OidcIssuer\n",
        "",
    ),
    own_rule("acts-without-alarm", "      Threshold: 10\n", "      Threshold: 15\n"),
    own_rule(
        "acts-without-alarm",
        "MetricName: OperatorLimited, Dimensions: [{ Name: function, Value: !Ref ChangeAccess }]",
        "MetricName: OperatorLimited, Dimensions: [{ Name: function, Value: !Ref SupportDesk }]",
    ),
    own_rule(
        "sign-in-without-alarm",
        "      MetricName: SignInMisconfigured\n      Dimensions: [{ Name: function, Value: !Ref SupportDesk }]\n",
        "      MetricName: SignInMisconfigured\n      Dimensions: [{ Name: function, Value: !Ref Portal }]\n",
    ),
    own_rule("unthrottled-api", "        ThrottlingRateLimit: 20\n", ""),
    own_rule("unthrottled-api", "        ThrottlingBurstLimit: !Ref ThrottlingBurst\n", ""),
    own_rule(
        "time-out-below-budgets",
        "      # Above the 7.5 s that a callback may spend on the provider, with the client secret; as for the portal.\n      Timeout: 15\n",
        "      Timeout: 10\n",
    ),
    own_rule("bare-parameter", "    MinValue: 2\n    MaxValue: 1000\n", ""),
    own_rule(
        "long-name",
        "    AllowedPattern: ^([a-z0-9][a-z0-9-]{0,28})?$\n",
        "    AllowedPattern: ^([a-z0-9][a-z0-9-]{0,29})?$\n",
    ),
    own_rule(
        "deletion-elsewhere",
        "              - Sid: CloseAccounts\n                Effect: Allow\n                Action: dynamodb:UpdateItem\n",
        "              - Sid: CloseAccounts\n                Effect: Allow\n                Action: [dynamodb:UpdateItem, dynamodb:DeleteItem]\n",
    ),
    own_rule(
        "deletion-elsewhere",
        "              - Sid: PlanPurges\n                Effect: Allow\n                Action: dynamodb:PutItem\n",
        "              - Sid: PlanPurges\n                Effect: Allow\n                Action: [dynamodb:PutItem, dynamodb:BatchWriteItem]\n",
    ),
    own_rule("deletion-at-once", "      ReservedConcurrentExecutions: !If [ReservesPurge, 1, !Ref AWS::NoValue]\n", ""),
    own_rule("deletion-at-once", "!If [ReservesPurge, 1, !Ref AWS::NoValue]", "!If [ReservesPurge, 1, 10]"),
    own_rule(
        "unheard-event",
        "          StringEquals: { events:detail-type: [SubscriptionStarted, SubscriptionEnded] }\n",
        "          StringEquals: { events:detail-type: SubscriptionStarted }\n",
    ),
    own_rule(
        "unheard-event",
        "      EventPattern: { detail-type: [SubscriptionStarted, SubscriptionEnded] }\n",
        "      EventPattern: { detail-type: [SubscriptionStarted] }\n",
    ),
    own_rule(
        "unheard-event",
        "        detail-type: [SubscriptionEnded]\n",
        "        detail-type: [SubscriptionFinished]\n",
    ),
    own_rule(
        "attempts-without-alarm",
        "MetricName: AttemptsExhausted, Dimensions: [{ Name: function, Value: !Ref ResetAdmin }]",
        "MetricName: AttemptsExhausted, Dimensions: [{ Name: function, Value: !Ref SignIn }]",
    ),
    own_rule(
        "attempts-without-alarm",
        "MetricName: AccountClosed, Dimensions: [{ Name: function, Value: !Ref RemoveAdmin }]",
        "MetricName: AccountClosed, Dimensions: [{ Name: function, Value: !Ref SignIn }]",
    ),
    own_rule(
        "open-bus",
        "        detail-type: [SubscriptionEnded]\n        source: [!If [HasEventSource, !Ref EventSource, { anything-but: firstkey }]]\n",
        "        detail-type: [SubscriptionEnded]\n",
    ),
    own_rule(
        "open-policy",
        "            Condition:\n              ArnEquals: { aws:SourceArn: !GetAtt SubscriptionEndedRule.Arn }\n",
        "",
    ),
    own_rule(
        "open-table",
        "role${RolePath}${Prefix}-purge-subscriptions-${AWS::Region}\"",
        "role${RolePath}${Prefix}-purge-${AWS::Region}\"",
    ),
    own_rule("unreported-tampering", "              - !Ref SubscriptionEndRole\n", ""),
    own_rule("unreported-tampering", "              - !Ref PurgeSubscriptionsRole\n", ""),
    own_rule(
        "queue-without-dead-letters",
        "      RedrivePolicy: { deadLetterTargetArn: !GetAtt SubscriptionEndDeadLetters.Arn, maxReceiveCount: 20 }\n",
        "",
    ),
    own_rule(
        "target-without-dead-letters",
        "          Arn: !GetAtt SubscriptionEndQueue.Arn\n          RetryPolicy: { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 }\n          DeadLetterConfig: { Arn: !GetAtt UndeliveredEvents.Arn }\n",
        "          Arn: !GetAtt SubscriptionEndQueue.Arn\n          RetryPolicy: { MaximumEventAgeInSeconds: 86400, MaximumRetryAttempts: 185 }\n",
    ),
    own_rule(
        "dead-letters-without-alarm",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt SubscriptionEndDeadLetters.QueueName }]",
        "Dimensions: [{ Name: QueueName, Value: !GetAtt SubscriptionStartDeadLetters.QueueName }]",
    ),
    own_rule(
        "queue-without-age-alarm",
        "!GetAtt SubscriptionEndQueue.QueueName }]",
        "!GetAtt SubscriptionStartQueue.QueueName }]",
    ),
    own_rule(
        "rule-without-alarm",
        "MetricName: FailedInvocations\n              Dimensions: [{ Name: EventBusName, Value: !GetAtt VendorBus.Name }, { Name: RuleName, Value: !Select [2, !Split [\"/\", !GetAtt SubscriptionEndedRule.Arn]] }]",
        "MetricName: FailedInvocations\n              Dimensions: [{ Name: EventBusName, Value: !GetAtt VendorBus.Name }, { Name: RuleName, Value: !Select [2, !Split [\"/\", !GetAtt SubscriptionStartedRule.Arn]] }]",
    ),
    own_rule(
        "function-without-alarm",
        "MetricName: Errors, Dimensions: [{ Name: FunctionName, Value: !Ref RemoveAdmin }]",
        "MetricName: Errors, Dimensions: [{ Name: FunctionName, Value: !Ref CreateAdmin }]",
    ),
    own_rule(
        "function-without-alarm",
        "MetricName: Throttles, Dimensions: [{ Name: FunctionName, Value: !Ref ResetAdmin }]",
        "MetricName: Throttles, Dimensions: [{ Name: FunctionName, Value: !Ref CreateAdmin }]",
    ),
    own_rule(
        "schedule-without-watch",
        "MetricName: Invocations, Dimensions: [{ Name: FunctionName, Value: !Ref PurgeSubscriptions }]",
        "MetricName: Invocations, Dimensions: [{ Name: FunctionName, Value: !Ref SendReminders }]",
    ),
    own_rule(
        "unheard-denial",
        "  PurgeSubscriptionsTableDenied:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      LogGroupName: !Ref PurgeSubscriptionsLogGroup\n",
        "  PurgeSubscriptionsTableDenied:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      LogGroupName: !Ref SendRemindersLogGroup\n",
    ),
    own_rule(
        "time-out-below-budgets",
        "      Role: !GetAtt RemoveAdminRole.Arn\n      MemorySize: 1769\n      Timeout: 10\n",
        "      Role: !GetAtt RemoveAdminRole.Arn\n      MemorySize: 1769\n      Timeout: 5\n",
    ),
    own_rule(
        "time-out-below-budgets",
        "      Role: !GetAtt SubscriptionEndRole.Arn\n      MemorySize: 512\n      Timeout: 30\n",
        "      Role: !GetAtt SubscriptionEndRole.Arn\n      MemorySize: 512\n      Timeout: 15\n",
    ),
    own_rule(
        "seal-of-another",
        "              - Sid: ResetPasswords\n",
        "              - Sid: Seal\n                Effect: Allow\n                Action: kms:Encrypt\n                Resource: !GetAtt SealingKey.Arn\n              - Sid: ResetPasswords\n",
    ),
    own_rule(
        "product-without-condition",
        "  ProductSignInSign:\n    Type: AWS::IAM::RolePolicy\n    Condition: HasProduct\n",
        "  ProductSignInSign:\n    Type: AWS::IAM::RolePolicy\n",
    ),
    own_rule(
        "product-without-condition",
        "  HasProduct: !Not [!Equals [!Ref ProductClientId, \"\"]]\n",
        "  HasProduct: !Not [!Equals [!Ref ProductUrl, \"\"]]\n",
    ),
    own_rule(
        "signature-of-another",
        "            Principal: { AWS: !GetAtt ProductSignInRole.Arn }\n            Action: kms:Sign\n",
        "            Principal: { AWS: [!GetAtt ProductSignInRole.Arn, !GetAtt PortalRole.Arn] }\n            Action: kms:Sign\n",
    ),
    own_rule(
        "signature-of-another",
        "            Principal: { AWS: !GetAtt ProductSignInRole.Arn }\n            Action: kms:GetPublicKey\n",
        "            Principal: { AWS: !GetAtt ProductSignInRole.Arn }\n            Action: [kms:GetPublicKey, kms:Verify]\n",
    ),
    own_rule(
        "signature-of-another",
        "              - Sid: ResetPasswords\n",
        "              - Sid: Sign\n                Effect: Allow\n                Action: kms:Sign\n                Resource: !If [HasSigningKeyOne, !GetAtt SigningKeyOne.Arn, !Ref AWS::NoValue]\n              - Sid: ResetPasswords\n",
    ),
    own_rule(
        "unbound-signature",
        "kms:SigningAlgorithm: RSASSA_PKCS1_V1_5_SHA_256, kms:MessageType: DIGEST",
        "kms:SigningAlgorithm: RSASSA_PKCS1_V1_5_SHA_256",
    ),
    own_rule(
        "unbound-signature",
        "kms:SigningAlgorithm: RSASSA_PKCS1_V1_5_SHA_256, kms:MessageType: DIGEST",
        "kms:SigningAlgorithm: RSASSA_PSS_SHA_256, kms:MessageType: DIGEST",
    ),
    own_rule(
        "signature-by-any-code",
        "${AWS::AccountId}:function:${Prefix}-product-sign-in\n",
        "${AWS::AccountId}:function:${Prefix}-*\n",
    ),
    own_rule(
        "signature-by-any-code",
        "            Effect: Deny\n            Action: kms:Sign\n",
        "            Effect: Deny\n            Action: kms:GetPublicKey\n",
    ),
    own_rule(
        "product-that-unseals",
        "              - Sid: FindSessionsCodesAndTokens\n",
        "              - Sid: Unseal\n                Effect: Allow\n                Action: kms:Decrypt\n                Resource: !GetAtt SealingKey.Arn\n              - Sid: FindSessionsCodesAndTokens\n",
    ),
    own_rule(
        "product-of-everyone",
        "      - Assert: !Not [!Equals [!Ref ProductClientSecretDigests, \"\"]]\n        AssertDescription: ProductClientId requires ProductClientSecretDigests\n",
        "",
    ),
    own_rule(
        "unheard-key-denial",
        "?\"Sign: AccessDenied\" ?\"GetPublicKey: AccessDenied\"",
        "?\"Encrypt: AccessDenied\" ?\"GetPublicKey: AccessDenied\"",
    ),
    own_rule(
        "unheard-key-denial",
        "  GetCredentialsKeyDenied:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      LogGroupName: !Ref GetCredentialsLogGroup\n",
        "  GetCredentialsKeyDenied:\n    Type: AWS::Logs::MetricFilter\n    Properties:\n      LogGroupName: !Ref PortalLogGroup\n",
    ),
    own_rule("code-without-alarm", "      MetricName: ProductCodeReused\n", "      MetricName: ProductEntered\n"),
    own_rule(
        "open-table",
        "role${RolePath}${Prefix}-product-sign-in-${AWS::Region}\"",
        "role${RolePath}${Prefix}-product-*-${AWS::Region}\"",
    ),
    own_rule("whole-table", "[\"CODE#*\", \"TOKEN#*\"]", "[\"CODE*\", \"TOKEN#*\"]"),
    own_rule(
        "unreported-tampering",
        "              - !If [HasSigningKeyTwo, !GetAtt SigningKeyTwo.Arn, !Ref AWS::NoValue]\n      Targets:\n",
        "      Targets:\n",
    ),
    own_rule(
        "unreported-tampering",
        "              - !If [HasProduct, !Ref ProductSignInRole, !Ref AWS::NoValue]\n",
        "",
    ),
    own_rule(
        "unprotected-data",
        "    Condition: HasSigningKeyOne\n    DeletionPolicy: RetainExceptOnCreate\n",
        "    Condition: HasSigningKeyOne\n    DeletionPolicy: Delete\n",
    ),
    own_rule(
        "function-without-alarm",
        "      MetricName: Throttles\n      Dimensions: [{ Name: FunctionName, Value: !Ref ProductSignIn }]\n",
        "      MetricName: Throttles\n      Dimensions: [{ Name: FunctionName, Value: !Ref Portal }]\n",
    ),
    own_rule(
        "unheard-denial",
        "      LogGroupName: !Ref ProductSignInLogGroup\n      FilterPattern: '{ $.service",
        "      LogGroupName: !Ref PortalLogGroup\n      FilterPattern: '{ $.service",
    ),
    own_rule(
        "time-out-above-api",
        "Role: !GetAtt ProductSignInRole.Arn\n      MemorySize: 512\n      Timeout: 10\n",
        "Role: !GetAtt ProductSignInRole.Arn\n      MemorySize: 512\n      Timeout: 60\n",
    ),
    own_rule(
        "keys-written-elsewhere",
        "              - Sid: ReadProviderKeys\n                Effect: Allow\n                Action: dynamodb:GetItem\n",
        "              - Sid: ReadProviderKeys\n                Effect: Allow\n                Action: [dynamodb:GetItem, dynamodb:PutItem]\n",
    ),
    own_rule(
        "keys-written-elsewhere",
        "              - Sid: PutProviderKeys\n                Effect: Allow\n                Action: dynamodb:UpdateItem\n",
        "              - Sid: PutProviderKeys\n                Effect: Allow\n                Action: [dynamodb:UpdateItem, dynamodb:PutItem]\n",
    ),
    own_rule(
        "keys-written-elsewhere",
        "\"REFERENCE#*\", \"PURGE#*\"] }",
        "\"REFERENCE#*\", \"PURGE#*\", \"PROVIDER#*\"] }",
    ),
    own_rule(
        "keys-written-by-any-code",
        "${AWS::AccountId}:function:${Prefix}-refresh-keys\n",
        "${AWS::AccountId}:function:${Prefix}-*\n",
    ),
    own_rule(
        "keys-written-by-any-code",
        "              - Sid: PutOnlyFromItsCode\n                Effect: Deny\n                Action: dynamodb:UpdateItem\n",
        "              - Sid: PutOnlyFromItsCode\n                Effect: Deny\n                Action: dynamodb:PutItem\n",
    ),
    own_rule(
        "keys-written-by-any-code",
        "                Resource: !If [CreatesTable, !GetAtt Table.Arn, !Sub \"arn:${AWS::Partition}:dynamodb:${AWS::Region}:${AWS::AccountId}:table/${ExistingTableName}\"]\n                Condition:\n                  ArnNotEquals:\n",
        "                Resource: !GetAtt Table.Arn\n                Condition:\n                  ArnNotEquals:\n",
    ),
    own_rule(
        "keys-written-by-any-code",
        "                  ArnNotEquals:\n                    lambda:SourceFunctionArn: !Sub\n",
        "                  \"Null\": { lambda:SourceFunctionArn: \"false\" }\n                  ArnNotEquals:\n                    lambda:SourceFunctionArn: !Sub\n",
    ),
    own_rule(
        "keys-read-elsewhere",
        "              - Sid: ReadSubscriptionsAndAccounts\n",
        "              - Sid: ReadProviderKeys\n                Effect: Allow\n                Action: dynamodb:GetItem\n                Resource: !GetAtt Table.Arn\n                Condition:\n                  \"Null\": { dynamodb:LeadingKeys: \"false\" }\n                  ForAllValues:StringLike: { dynamodb:LeadingKeys: [\"PROVIDER#*\"] }\n              - Sid: ReadSubscriptionsAndAccounts\n",
    ),
    own_rule("keys-read-elsewhere", "[\"PROVIDER#*\"]", "[\"PROVIDER#*\", \"SESSION#*\"]"),
    own_rule("keys-out-of-reach", "[\"PROVIDER#*\"]", "[\"PROVIDERS#*\"]"),
    own_rule(
        "keys-never-refreshed",
        "          DESK_OIDC_ISSUER: !Ref DeskOidcIssuer\n      # The next run",
        "      # The next run",
    ),
    own_rule("keys-late-after-deployment", "[CREATE_COMPLETE, UPDATE_COMPLETE]", "[CREATE_COMPLETE]"),
    own_rule("keys-late-after-deployment", "                stack-id: [!Ref AWS::StackId]\n", ""),
    own_rule("keys-without-alarm", "      MetricName: KeysNotRefreshed\n", "      MetricName: KeysRefreshed\n"),
    own_rule("keys-without-alarm", "      EvaluationPeriods: 4\n", "      EvaluationPeriods: 8\n"),
    own_rule("schedule-of-another-period", "Schedule: rate(15 minutes)", "Schedule: rate(1 hour)"),
    own_rule(
        "retry-beyond-the-period",
        "EventInvokeConfig: { MaximumEventAgeInSeconds: 600, ",
        "EventInvokeConfig: { MaximumEventAgeInSeconds: 1800, ",
    ),
    own_rule(
        "time-out-below-budgets",
        "      Role: !GetAtt RefreshKeysRole.Arn\n      MemorySize: 256\n      Timeout: 30\n",
        "      Role: !GetAtt RefreshKeysRole.Arn\n      MemorySize: 256\n      Timeout: 10\n",
    ),
    own_rule(
        "target-without-dead-letters",
        "        QuarterHourly:\n          Type: Schedule\n          Properties:\n            Description: Every 15 minutes, the keys of the identity providers\n            Schedule: rate(15 minutes)\n            RetryPolicy: { MaximumEventAgeInSeconds: 600, MaximumRetryAttempts: 10 }\n",
        "",
    ),
    own_rule(
        "rule-without-alarm",
        "        QuarterHourly:\n          Type: Schedule\n          Properties:\n            Description: Every 15 minutes, the keys of the identity providers\n            Schedule: rate(15 minutes)\n            RetryPolicy: { MaximumEventAgeInSeconds: 600, MaximumRetryAttempts: 10 }\n",
        "",
    ),
    own_rule(
        "schedule-without-watch",
        "MetricName: Invocations, Dimensions: [{ Name: FunctionName, Value: !Ref RefreshKeys }]",
        "MetricName: Invocations, Dimensions: [{ Name: FunctionName, Value: !Ref SendReminders }]",
    ),
    own_rule(
        "function-without-alarm",
        "MetricName: Throttles, Dimensions: [{ Name: FunctionName, Value: !Ref RefreshKeys }]",
        "MetricName: Throttles, Dimensions: [{ Name: FunctionName, Value: !Ref SendReminders }]",
    ),
    own_rule(
        "unheard-denial",
        "      LogGroupName: !Ref RefreshKeysLogGroup\n      FilterPattern",
        "      LogGroupName: !Ref SendRemindersLogGroup\n      FilterPattern",
    ),
    own_rule(
        "desk-setting-elsewhere",
        "          DESK_OIDC_ISSUER: !Ref DeskOidcIssuer\n      # The next run",
        "          DESK_OIDC_ISSUER: !Ref DeskOidcIssuer\n          DESK_OIDC_ROLE: !Ref DeskOidcRole\n      # The next run",
    ),
    own_rule(
        "open-table",
        "role${RolePath}${Prefix}-refresh-keys-${AWS::Region}\"",
        "role${RolePath}${Prefix}-refresh-*-${AWS::Region}\"",
    ),
    own_rule("unreported-tampering", "              - !Ref RefreshKeysRole\n", ""),
    // SAM names a resource after the event, and a queue already has this name.
    fault("sam", "sam", "        Messages:\n", "        Queue:\n"),
    fault("cfn-lint", "E3002", "      BillingMode: PAY_PER_REQUEST\n", "      BillingMod: PAY_PER_REQUEST\n"),
    fault("cfn-lint", "E1010", "Resource: !GetAtt VendorBus.Arn", "Resource: !GetAtt VendorBuss.Arn"),
    fault("cfn-lint", "E1020", "Endpoint: !Ref AlarmEmail }", "Endpoint: !Ref AlarmMail }"),
    fault("cfn-lint", "W1001", "!If [CreatesTable, !Ref Table, !Ref ExistingTableName]", "!Ref Table"),
    // A role and the policy of a key that name each other.
    fault(
        "cfn-lint",
        "E3004",
        "Resource: !If [CreatesTable, !GetAtt Table.Arn, ",
        "Resource: !If [CreatesTable, !GetAtt SealingKey.Arn, ",
    ),
    fault("checkov", "CKV_AWS_28", "PointInTimeRecoveryEnabled: true", "PointInTimeRecoveryEnabled: false"),
    fault("checkov", "CKV_AWS_7", "EnableKeyRotation: true", "EnableKeyRotation: false"),
    fault(
        "checkov",
        "CKV_AWS_258",
        "      Role: !GetAtt PortalRole.Arn\n",
        "      Role: !GetAtt PortalRole.Arn\n      FunctionUrlConfig: { AuthType: NONE }\n",
    ),
    fault(
        "parliament",
        "UNKNOWN_ACTION",
        "Action: dynamodb:ConditionCheckItem\n",
        "Action: dynamodb:ConditionCheckItems\n",
    ),
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
    /// Returns the name of the copy's file: the fault's position in the list and its rule.
    pub(super) fn name(&self) -> String {
        let place =
            FAULTS.iter().position(|fault| (fault.rule, fault.from, fault.to) == (self.rule, self.from, self.to));
        format!("{:02}-{}", place.unwrap_or_default(), self.rule)
    }

    /// Returns whether a finding reports this fault.
    pub(super) fn matches(&self, finding: &Finding) -> bool {
        (finding.by.as_str(), finding.rule.as_str()) == (self.by, self.rule)
    }

    /// Returns the template with this fault in it.
    pub(super) fn plant(&self, text: &str) -> anyhow::Result<String> {
        ensure!(
            text.contains(self.from),
            "the fault {} does not apply, because the template lacks: {}",
            self.name(),
            self.from
        );
        Ok(text.replacen(self.from, self.to, 1))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::{super::rules, *};

    #[test]
    fn each_of_our_own_rules_has_a_fault_to_find() {
        let planted: BTreeSet<_> =
            FAULTS.iter().filter(|fault| fault.by == "firstkey").map(|fault| fault.rule).collect();
        assert_eq!(planted, rules::names().collect());
    }

    #[test]
    fn a_fault_that_does_not_apply_is_named() {
        let refusal = FAULTS[0].plant("Resources: {}").expect_err("the text is missing");
        assert!(refusal.to_string().contains("00-open-route"), "{refusal}");
    }
}
