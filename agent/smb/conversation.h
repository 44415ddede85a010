#pragma once

namespace sallyport::smb {

// Answers what the agent asks over the socket, until it ends. The exit code.
int converse(int socket);

}  // namespace sallyport::smb
