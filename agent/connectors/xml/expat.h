#pragma once

#include "agent/connectors/step_error.h"
#include "agent/platform/shared_library.h"

#include <expat.h>

namespace sallyport::connectors::xml {

#define SALLYPORT_EXPAT_FUNCTIONS(X)     \
  X(XML_ErrorString)                     \
  X(XML_GetBuffer)                       \
  X(XML_GetCurrentLineNumber)            \
  X(XML_GetErrorCode)                    \
  X(XML_ParseBuffer)                     \
  X(XML_ParserCreateNS)                  \
  X(XML_ParserFree)                      \
  X(XML_ResumeParser)                    \
  X(XML_SetCharacterDataHandler)         \
  X(XML_SetCommentHandler)               \
  X(XML_SetDoctypeDeclHandler)           \
  X(XML_SetElementHandler)               \
  X(XML_SetNamespaceDeclHandler)         \
  X(XML_SetProcessingInstructionHandler) \
  X(XML_SetUnknownEncodingHandler)       \
  X(XML_SetUserData)                     \
  X(XML_StopParser)

// The functions of expat, under their own names.
struct Expat {
  SALLYPORT_EXPAT_FUNCTIONS(SALLYPORT_FUNCTION_MEMBER)
};

// expat is loaded by the first reader of XML (docs/decisions/0044); class "internal" when it cannot be.
StepResult<void> load_expat();
const Expat& expat();  // after load_expat

}  // namespace sallyport::connectors::xml
