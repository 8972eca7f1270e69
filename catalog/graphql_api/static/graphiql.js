// GraphiQL with its explorer, a tab for each example, and the operation of ?query=… where there is one.
"use strict";

const root = document.getElementById("graphiql");
const asked = new URLSearchParams(window.location.search);

function tabs(examples) {
  return examples.map(({ query, variables }) => ({
    query,
    variables: variables && JSON.stringify(variables, null, 2),
  }));
}

function show(examples) {
  const page = React.createElement(GraphiQL, {
    fetcher: GraphiQL.createFetcher({ url: window.location.pathname }),
    plugins: [GraphiQLPluginExplorer.explorerPlugin()],
    defaultEditorToolsVisibility: true,
    defaultTabs: tabs(examples),
    query: asked.get("query") || undefined,
    variables: asked.get("variables") || undefined,
  });
  ReactDOM.createRoot(root).render(page);
}

fetch(root.dataset.examples).then((answer) => answer.json()).then(show);
