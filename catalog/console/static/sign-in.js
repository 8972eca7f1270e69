// Over plain HTTP a browser drops the session's cookie, which looks like a wrong password.
"use strict";
find("[data-insecure]").hidden = isSecureContext;
