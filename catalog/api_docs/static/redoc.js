// ReDoc over the API's document, in the fonts that the machine has.
"use strict";

const place = document.getElementById("docs");
const fonts = "system-ui, sans-serif";

Redoc.init(
  place.dataset.document,
  {
    nonce: place.dataset.nonce,
    theme: { typography: { fontFamily: fonts, headings: { fontFamily: fonts } } },
  },
  place,
);
