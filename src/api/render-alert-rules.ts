import type { JsonObject } from "../base/json.ts";
import { formatDuration } from "../base/time.ts";
import { ALERT_RULES, expressionOf, type AlertRule } from "./alert-rules.ts";

/**
 * The rules as a file for Prometheus' `rule_files`; under `spec` of a PrometheusRule it says the same. They hold for every service: no
 * config is needed. Values of labels and annotations are strings, which the PrometheusRule's schema asks for.
 */
export const renderAlertRules = (): JsonObject => ({ groups: [{ name: "tidegate", rules: ALERT_RULES.map(ruleOf) }] });

const ruleOf = (rule: AlertRule): JsonObject => ({
  alert: rule.name,
  expr: expressionOf(rule.condition),
  ...(rule.forMs === 0 ? {} : { for: formatDuration(rule.forMs) }),
  labels: { severity: rule.severity, action: rule.action },
  annotations: { summary: rule.summary, description: rule.description },
});
