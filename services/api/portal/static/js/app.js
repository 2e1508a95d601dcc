// What every page starts. A page's own behaviour is a module of its own, loaded in the template's block `scripts`.
import { startDialogs } from "./dialogs.js";
import { startFailures } from "./failures.js";
import { startHabits } from "./habits.js";
import { startKeys } from "./keys.js";
import { startLive } from "./live.js";
import { startMenus } from "./menus.js";
import { startMorph } from "./morph.js";
import { startPalette } from "./palette.js";
import { startToasts } from "./toasts.js";

startMorph();
startFailures();
startToasts();
startHabits();
startMenus();
startDialogs();
startKeys();
startPalette();
startLive();
