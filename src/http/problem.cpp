// SPDX-License-Identifier: Apache-2.0
#include "http/target.hpp"
#include "icos/http/router.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

namespace icos::http {

unsigned status_of(const Error& error) noexcept {
    // Two codes of the transport have a status of their own within their kind.
    if (error.code == errc::header_too_large) return 431;
    if (error.code == errc::timeout) return 408;
    switch (kind_of(error)) {
        case ErrorKind::invalid:
            return 400;
        case ErrorKind::unauthenticated:
            return 401;
        case ErrorKind::forbidden:
            return 403;
        case ErrorKind::not_found:
            return 404;
        case ErrorKind::method:
            return 405;
        case ErrorKind::timed_out:
            return 504;
        case ErrorKind::conflict:
            return 409;
        case ErrorKind::gone:
            return 410;
        case ErrorKind::precondition:
            return 412;
        case ErrorKind::too_large:
            return 413;
        case ErrorKind::unprocessable:
            return 422;
        case ErrorKind::busy:
            return 429;
        case ErrorKind::internal:
            return 500;
        case ErrorKind::upstream:
            return 502;
        case ErrorKind::unavailable:
            return 503;
        case ErrorKind::storage_full:
            return 507;
    }
    return 500;
}

std::string_view reason_phrase(unsigned status) noexcept {
    switch (status) {
        case 100:
            return "Continue";
        case 101:
            return "Switching Protocols";
        case 200:
            return "OK";
        case 201:
            return "Created";
        case 202:
            return "Accepted";
        case 204:
            return "No Content";
        case 304:
            return "Not Modified";
        case 307:
            return "Temporary Redirect";
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 415:
            return "Unsupported Media Type";
        case 422:
            return "Unprocessable Content";
        case 426:
            return "Upgrade Required";
        case 429:
            return "Too Many Requests";
        case 431:
            return "Request Header Fields Too Large";
        case 500:
            return "Internal Server Error";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 507:
            return "Insufficient Storage";
        default:
            return "";
    }
}

Response problem(const Error& error, std::string_view request_id) {
    const unsigned status = status_of(error);
    const bool internal = kind_of(error) == ErrorKind::internal;
    boost::json::object body;
    body["type"] = "about:blank";
    body["title"] = reason_phrase(status);
    body["status"] = status;
    // The code of a foreign category (a database, a socket) would tell internals.
    const bool ours = dynamic_cast<const ErrorDomain*>(&error.code.category()) != nullptr;
    body["code"] = ours ? stable_code(error) : std::string("core.internal");
    if (!internal) {
        if (!error.detail.empty()) body["detail"] = error.detail;
        if (!error.hint.empty()) body["hint"] = error.hint;
    }
    if (!request_id.empty()) body["request_id"] = request_id;
    if (error.extra && !internal) {
        for (const auto& member : *error.extra) body.emplace(member.key(), member.value());
    }
    Response response = Response::json(boost::json::serialize(body), status);
    response.content_type = "application/problem+json";
    if (status == 401) response.headers["WWW-Authenticate"] = "Bearer";
    if (status == 429) response.headers["Retry-After"] = "1";
    return response;
}

}  // namespace icos::http
