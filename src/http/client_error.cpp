// SPDX-License-Identifier: Apache-2.0
#include "http/target.hpp"
#include "icos/http/client.hpp"
#include "icos/http/router.hpp"

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/parse_options.hpp>

#include <array>
#include <map>
#include <mutex>

namespace icos::http {
namespace json = boost::json;
namespace {

/// More codes than this come from no server of ours; they must not fill the memory.
constexpr std::size_t kMaxCodes = 512;
constexpr std::size_t kMaxCodeLength = 100;

ErrorKind kind_of_status(unsigned status) {
    switch (status) {
        case 400:
            return ErrorKind::invalid;
        case 401:
            return ErrorKind::unauthenticated;
        case 403:
            return ErrorKind::forbidden;
        case 404:
            return ErrorKind::not_found;
        case 405:
            return ErrorKind::method;
        case 408:
        case 504:
            return ErrorKind::timed_out;
        case 409:
            return ErrorKind::conflict;
        case 410:
            return ErrorKind::gone;
        case 412:
            return ErrorKind::precondition;
        case 413:
        case 431:
            return ErrorKind::too_large;
        case 422:
            return ErrorKind::unprocessable;
        case 429:
            return ErrorKind::busy;
        case 502:
            return ErrorKind::upstream;
        case 503:
            return ErrorKind::unavailable;
        case 507:
            return ErrorKind::storage_full;
        default:
            return status >= 500 ? ErrorKind::internal : ErrorKind::upstream;
    }
}

/// A category for one code that another process sent. Lives for ever, as categories must.
struct ForeignCode {
    ForeignCode(std::string domain_name, std::string code_name, ErrorKind kind)
        : domain(std::move(domain_name)),
          name(std::move(code_name)),
          entries{{{name, kind}}},
          category(domain.c_str(), entries) {}
    ForeignCode(const ForeignCode&) = delete;
    ForeignCode& operator=(const ForeignCode&) = delete;

    std::string domain;
    std::string name;
    std::array<ErrorEntry, 1> entries;
    ErrorDomain category;
};

boost::system::error_code own_code(std::string_view code) {
    struct Domain {
        const ErrorDomain& category;
        int count;
    };
    const std::array<Domain, 3> domains{{{http_domain(), 13}, {auth_domain(), 3}, {core_domain(), 9}}};
    for (const Domain& domain : domains) {
        for (int value = 1; value <= domain.count; ++value) {
            const boost::system::error_code candidate(value, domain.category);
            if (stable_code(Error{candidate, ""}) == code) return candidate;
        }
    }
    return {};
}

boost::system::error_code code_for(std::string_view code, unsigned status) {
    if (const auto own = own_code(code)) return own;
    const std::size_t dot = code.find('.');
    const bool is_usable =
        dot != std::string_view::npos && dot > 0 && dot + 1 < code.size() && code.size() <= kMaxCodeLength;
    if (!is_usable) return errc::bad_response;
    // Never freed and never destroyed: error codes may outlive every static object.
    static auto& mutex = *new std::mutex();
    static auto& known = *new std::map<std::string, std::unique_ptr<ForeignCode>, std::less<>>();
    const std::string key = std::string(code) + ' ' + std::to_string(status);
    const std::lock_guard lock(mutex);
    auto it = known.find(key);
    if (it == known.end()) {
        if (known.size() >= kMaxCodes) return errc::bad_response;
        auto made = std::make_unique<ForeignCode>(
            std::string(code.substr(0, dot)), std::string(code.substr(dot + 1)), kind_of_status(status)
        );
        it = known.emplace(key, std::move(made)).first;
    }
    return {1, it->second->category};
}

std::string text_member(const json::object& object, std::string_view name) {
    const json::value* value = object.if_contains(name);
    const json::string* text = value == nullptr ? nullptr : value->if_string();
    return text == nullptr ? std::string() : std::string(text->data(), text->size());
}

/// What a server that is not ours says: Docker's {"message": …}, or the start of a text.
std::string plain_detail(const ClientResponse& response, const json::object* object) {
    if (object != nullptr) {
        std::string message = text_member(*object, "message");
        if (!message.empty()) return message;
    }
    std::string detail = "the server answered " + std::to_string(response.status);
    const std::string_view phrase = reason_phrase(response.status);
    if (!phrase.empty()) detail.append(" ").append(phrase);
    const std::string_view line =
        std::string_view(response.body).substr(0, response.body.find_first_of("\r\n"));
    if (object == nullptr && !line.empty()) detail.append(": ").append(line.substr(0, 200));
    return detail;
}

/// A generic code of the right kind where the answer has none.
boost::system::error_code generic_code(unsigned status) {
    switch (status) {
        case 401:
            return auth_errc::required;
        case 403:
            return auth_errc::forbidden;
        case 404:
            return icos::errc::not_found;
        case 429:
            return icos::errc::busy;
        case 503:
            return icos::errc::unavailable;
        case 504:
            return icos::errc::timed_out;
        case 400:
            return icos::errc::invalid;
        default:
            return errc::bad_response;
    }
}

}  // namespace

Error error_from(const ClientResponse& response) {
    boost::system::error_code ec;
    json::parse_options options;
    options.max_depth = 32;
    const json::value body = json::parse(response.body, ec, {}, options);
    const json::object* object = ec ? nullptr : body.if_object();
    const std::string code = object == nullptr ? std::string() : text_member(*object, "code");
    if (code.empty()) return Error{generic_code(response.status), plain_detail(response, object)};
    Error error{
        code_for(code, response.status), text_member(*object, "detail"), text_member(*object, "hint")
    };
    if (error.detail.empty()) {
        error.detail = "the server answered " + std::to_string(response.status);
        const std::string request_id = text_member(*object, "request_id");
        if (!request_id.empty()) error.detail += "; its log has more under request " + request_id;
    }
    json::object extra;
    for (const auto& member : *object) {
        const std::string_view name(member.key().data(), member.key().size());
        const bool is_standard = name == "type" || name == "title" || name == "status" || name == "code" ||
                                 name == "detail" || name == "hint";
        if (!is_standard) extra.emplace(name, member.value());
    }
    if (!extra.empty()) error.extra = std::make_shared<const json::object>(std::move(extra));
    return error;
}

}  // namespace icos::http
