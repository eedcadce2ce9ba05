// SPDX-License-Identifier: Apache-2.0
#include "codes.hpp"

#include <algorithm>
#include <array>
#include <stdexcept>
#include <string>

namespace icos::descriptor {
namespace {

constexpr Severity kError = Severity::error;
constexpr Severity kWarning = Severity::warning;
constexpr Severity kInfo = Severity::info;

constexpr std::array kCodes = {
    Code{"E001", kError, "YAML syntax error", {}, true},
    Code{"E002", kError, "space missing after ':' (strict)", {}, true},
    Code{"W002", kWarning, "space missing after ':', read as if it were there", "E002"},
    Code{"E003", kError, "tab used for indentation", {}, true},
    Code{"E004", kError, "key given twice in one map"},
    Code{"E005", kError, "empty input, or no document with `components`", {}, true},
    Code{"E006", kError, "the descriptor is not a map", {}, true},
    Code{"E007", kError, "limit of size, depth, nodes or aliases exceeded", {}, true},
    Code{"E008", kError, "not UTF-8 text", {}, true},
    Code{"E009", kError, "space missing after the '-' of a list item"},
    Code{"E010", kError, "`name` of the application is missing"},
    Code{"E011", kError, "value of the wrong type"},
    Code{"E012", kError, "name violates RFC 1123"},
    Code{"W012", kWarning, "name of the application violates RFC 1123", "E012"},
    Code{"E013", kError, "unknown key"},
    Code{"E014", kError, "`components` missing or empty"},
    Code{"E015", kError, "`manifests` missing or empty"},
    Code{"W016", kWarning, "additional YAML document, or a manifest in a legacy form"},
    Code{"W017", kWarning, "`requirements` of the application are ignored"},
    Code{"I018", kInfo, "`dependencies` is absent"},
    Code{"E020", kError, "component is not a map"},
    Code{"E021", kError, "component without `name`"},
    Code{"E022", kError, "component name used twice"},
    Code{"E023", kError, "component without `type`"},
    Code{"E024", kError, "component type is not kubernetes, docker or multiple"},
    Code{"W024", kWarning, "legacy component type `manifest`, read as kubernetes"},
    Code{"E025", kError, "component without `manifests`"},
    Code{"E027", kError, "docker and kubernetes components in one application"},
    Code{"E028", kError, "`multiple` component lacks the manifest for one engine"},
    Code{"E029", kError, "suffix of the manifest name contradicts its content"},
    Code{"I030", kInfo, "several manifests for one engine in a `multiple` component"},
    Code{"E031", kError, "component refers to an unknown manifest"},
    Code{"E032", kError, "manifest name used twice"},
    Code{"E033", kError, "manifest used twice"},
    Code{"W034", kWarning, "manifest is never used"},
    Code{"E035", kError, "manifest entry without `name` or `manifest`"},
    Code{"E036", kError, "manifest is for another engine than its component"},
    Code{"E037", kError, "Kubernetes manifest without apiVersion, kind or metadata.name"},
    Code{"E038", kError, "compose manifest without `services`"},
    Code{"W039", kWarning, "metadata.name differs from the name of the manifest"},
    Code{"E040", kError, "unknown requirement"},
    Code{"E041", kError, "unknown architecture"},
    Code{"E042", kError, "cpu is not a positive number of cores or milli-cores"},
    Code{"E043", kError, "memory is not a quantity"},
    Code{"W044", kWarning, "memory unit read leniently", "W044"},
    Code{"E045", kError, "memory in milli-bytes, or a bare K"},
    Code{"E046", kError, "devices empty, or neither a string nor a list of strings"},
    Code{"E047", kError, "nodelabel without `key` or `values`, or with more keys"},
    Code{"E048", kError, "nodelabel values empty or repeated"},
    Code{"W049", kWarning, "requirements are less than what the manifests reserve"},
    Code{"E050", kError, "policy is not a map"},
    Code{"E051", kError, "policy without a type"},
    Code{"E052", kError, "unknown policy type"},
    Code{"E053", kError, "policy name used twice in one scope"},
    Code{"E054", kError, "security policy with both or neither of level and threshold"},
    Code{"E055", kError, "security level or threshold out of range"},
    Code{"E056", kError, "scheduler weight is not a number of at least 0"},
    Code{"W056", kWarning, "scheduler weights do not sum to 1", "E056"},
    Code{"E057", kError, "scheduler policy without a weight above 0"},
    Code{"E058", kError, "second scheduler policy in one scope"},
    Code{
        "E060", kError, "custom policy with both or neither of fromTemplate and spec, or a spec without expr"
    },
    Code{"E061", kError, "custom policy without remediation"},
    Code{"E062", kError, "unknown or contradictory remediation"},
    Code{"E063", kError, "`apply-to` inside a component"},
    Code{"E064", kError, "`apply-to` names an unknown component"},
    Code{"W065", kWarning, "unknown policy template"},
    Code{"E066", kError, "key not allowed for this policy type"},
    Code{"E067", kError, "`variables` is not a map of scalars"},
    Code{"E068", kError, "invalid duration, or fraction outside 0..1"},
    Code{"E069", kError, "redeployOnLostTelemetry at application level"},
    Code{"E070", kError, "communication entry is not a map with exactly one of incoming and outgoing"},
    Code{"E071", kError, "unknown direction of communication"},
    Code{"E072", kError, "service is no manifest of the application"},
    Code{"W073", kWarning, "direction contradicts who owns the service"},
    Code{"W074", kWarning, "referenced manifest is not a service of its engine"},
    Code{"W075", kWarning, "repeated edge"},
    Code{"W076", kWarning, "no component declares the service as outgoing"},
    Code{"C001", kError, "compose key that is not supported"},
    Code{"C002", kError, "compose value of the wrong type or form"},
    Code{"C003", kError, "interpolation that cannot be resolved"},
    Code{"C004", kError, "reference to a file that is not part of the descriptor"},
    Code{"C005", kError, "reference to an undefined network, volume, config, secret or service"},
    Code{"C006", kError, "depends_on forms a cycle"},
    Code{"C007", kError, "one host port claimed twice"},
    Code{"C008", kError, "service without image"},
    Code{"C009", kError, "two services of one component have one name"},
    Code{"C010", kError, "manifest uses an anchor that is defined outside of it"},
    Code{"C011", kError, "masked value where a secret is expected"},
    Code{"C012", kError, "secret, or the file it comes from, that cannot be taken"},
    Code{"C101", kWarning, "environment variable without a value is dropped"},
};

}  // namespace

std::span<const Code> all_codes() noexcept {
    return kCodes;
}

const Code& find_code(std::string_view code) {
    const auto found =
        std::find_if(kCodes.begin(), kCodes.end(), [&](const Code& row) { return row.code == code; });
    if (found == kCodes.end())
        throw std::logic_error("diagnostic without a row in the table: " + std::string(code));
    return *found;
}

}  // namespace icos::descriptor
