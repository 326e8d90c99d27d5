import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

const api = "http://127.0.0.1:8000";

// The console is served at /admin; assets are separate, hashed files, so a strict content policy holds.
// Libraries change seldom and stand in chunks of their own, so browsers keep them when the console changes.
export default defineConfig({
  base: "/admin/",
  plugins: [react()],
  build: {
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
    rolldownOptions: {
      output: {
        codeSplitting: {
          groups: [
            { name: "components", test: /node_modules\/(@mantine|@floating-ui)/ },
            { name: "libraries", test: /node_modules/ },
          ],
        },
      },
    },
  },
  server: { proxy: { "/api": api, "/health": api, "/docs": api } },
});
