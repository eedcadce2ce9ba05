// SPDX-License-Identifier: Apache-2.0
#include "commands/commands.hpp"

#include <boost/json/object.hpp>
#include <boost/json/serialize.hpp>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <iterator>
#include <termios.h>
#include <unistd.h>

namespace icos::shell {
namespace {

std::string target_of(const Context& context, const std::string& name) {
    return context.in_project("/api/v1/credentials/" + http::percent_encode(name));
}

std::string without_line_end(std::string text) {
    while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
    return text;
}

/// A line of the terminal that is not shown while it is typed.
std::string ask_for_password() {
    std::fputs("Password: ", stderr);
    termios shown{};
    const bool is_set = tcgetattr(STDIN_FILENO, &shown) == 0;
    termios hidden = shown;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    if (is_set) tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    std::string line;
    std::getline(std::cin, line);
    if (is_set) tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    std::fputs("\n", stderr);
    return line;
}

Result<std::string> password_of(const CredentialOptions& options) {
    std::string password;
    if (!options.password_file.empty() && options.password_file != "-") {
        std::ifstream in(options.password_file, std::ios::binary);
        if (!in) return Error{errc::io, options.password_file + ": cannot be read"};
        password.assign(std::istreambuf_iterator<char>(in), std::istreambuf_iterator<char>());
    } else if (options.password_file == "-" || isatty(STDIN_FILENO) == 0) {
        password.assign(std::istreambuf_iterator<char>(std::cin), std::istreambuf_iterator<char>());
    } else {
        password = ask_for_password();
    }
    password = without_line_end(std::move(password));
    if (password.empty()) {
        return Error{
            errc::invalid, "the password is empty", "pipe it in, or name a file: --password-file FILE"
        };
    }
    return password;
}

}  // namespace

Task<int> credential_set(Context& context, CredentialOptions options) {
    const Result<std::string> password = password_of(options);
    if (password.has_error()) {
        report(password.error());
        co_return kUsage;
    }
    const boost::json::object body{
        {"registry", options.registry}, {"username", options.username}, {"password", *password}
    };
    std::string target = target_of(context, options.name);
    std::string text = boost::json::serialize(body);
    const Result<boost::json::value> answer =
        co_await context.api.send(http::Method::put, std::move(target), std::move(text), "application/json");
    if (answer.has_error()) co_return report(answer.error());
    std::printf(
        "credential %s stored, for %s as %s\n",
        options.name.c_str(),
        options.registry.c_str(),
        options.username.c_str()
    );
    co_return kDone;
}

Task<int> credential_remove(Context& context, std::string name) {
    std::string target = target_of(context, name);
    const Result<boost::json::value> answer =
        co_await context.api.send(http::Method::del, std::move(target), {}, {});
    if (answer.has_error()) co_return report(answer.error());
    std::printf("credential %s removed\n", name.c_str());
    co_return kDone;
}

}  // namespace icos::shell
