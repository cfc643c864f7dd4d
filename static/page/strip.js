/** The slim line that stays in sight: the headline goes up into the bar when it is scrolled away. */

import { part, setText } from "../elements/dom.js";

/** @import { Headline } from "../core/types.js" */

export class Strip {
  #strip;

  /** @param {HTMLElement} bar holds `.strip` @param {HTMLElement} headline what it stands for */
  constructor(bar, headline) {
    this.#strip = part(bar, "strip");
    const watch = new IntersectionObserver(
      ([{ isIntersecting }]) => bar.classList.toggle("scrolled", !isIntersecting),
      {
        rootMargin: `-${bar.offsetHeight}px 0px 0px`,
      },
    );
    watch.observe(headline);
  }

  /** @param {Headline} said */
  draw({ text }) {
    setText(this.#strip, text);
  }
}
