// sallyport-smb: files of an SMB server for the agent, which starts it and asks over a socket that is its standard
// input. A program of its own because libsmbclient is under the GPL, blocks, and takes bytes from servers apart
// (docs/decisions/0056).
#include "agent/smb/conversation.h"
#include "agent/smb/process.h"

#include <cstdlib>

int main() {
  using namespace sallyport::smb;
  if (!confine_process()) return 3;
  end_with_the_agent();
  std::_Exit(converse(kSocket));  // nothing is to be taken down in order
}
