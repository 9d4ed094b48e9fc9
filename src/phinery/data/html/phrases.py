"""The phrases of boilerplate lines, in lower case, by where they stand in a line."""

from __future__ import annotations

import re


def _any_of(*phrases: str) -> str:
    return "(?:" + "|".join(phrases) + ")"


_NUMBER = r"(?:\d[\d.,]*|no|one|keine?|ein|aucun|sin|nessun|nenhum|geen|één|brak)"
_COMMENTS = (
    r"(?:comments?|responses?|repl(?:y|ies)|kommentare?|antwort(?:en)?|commentaires?|réponses?|"
    r"comentarios?|respuestas?|commenti|commento|risposte|comentários?|respostas?|"
    r"reacties?|reactie|"
    r"komentarz[ey]?|kommentarer|комментари(?:й|я|ев))"
)

AT_START = re.compile(
    _any_of(
        # Who wrote it and when.
        r"posted (?:on|by|in|at)\b",
        r"posted\W*\d",
        r"(?:published|updated|last (?:updated|modified)|written|reviewed) (?:on|by|in|at)?\W*"
        r"(?:\d|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\w*[^.]{0,40}$",
        r"(?:filed|posted) (?:under|in)\b",
        r"this (?:entry|post|article) (?:was|is) (?:posted|filed|tagged|published)",
        r"(?:veröffentlicht|geschrieben|erstellt|verfasst|gepostet|eingestellt|übersetzt) "
        r"(?:am|von|in|unter)\W",
        r"(?:veröffentlicht|posted) ?(?:am|on|in)(?=[A-Z\d]|author|autor)",
        r"(?:zuletzt )?(?:aktualisiert|überarbeitet|geändert|bearbeitet) (?:am|von)\b[^.]{0,40}$",
        r"(?:abgelegt|kategorisiert|gespeichert|einsortiert|verschlagwortet) (?:unter|in|mit)\b",
        r"dieser (?:beitrag|eintrag|artikel) (?:wurde|ist) (?:\S+ )*(?:unter|in|am|von)\b",
        r"(?:publié|posté|écrit|rédigé|mis à jour|classé) (?:le|par|dans|en)\b[^.]{0,80}$",
        r"(?:publicado|escrito|actualizado|archivado|publicada|atualizado) (?:el|por|en|em|a)\b"
        r"[^.]{0,80}$",
        r"(?:pubblicato|scritto|aggiornato) (?:il|da|in|su)\b[^.]{0,80}$",
        r"(?:geplaatst|geschreven|gepubliceerd|bijgewerkt) (?:op|door|in)\b[^.]{0,80}$",
        r"(?:opublikowano|napisane przez|dodano)\b[^.]{0,80}$",
        # What it is filed under: a label with a colon, or nothing but the label.
        r"(?:tags?|tagged(?: (?:with|as|in))?|keywords?|categor(?:y|ies)|topics?|labels?|"
        r"filed under|kategorien?|kategorisiert unter|schlagw[oö]rter|schlagworte?|stichw[oö]rter|"
        r"themen|blog-themen|catégories?|étiquettes?|mots[- ]clés|categorías?|etiquetas|"
        r"categorie|categorieën|categorias?|etichette|trefwoorden|kategorie|tagi|рубрик[аи]|"
        r"метки|タグ|カテゴリー?|标签|分类)\s*(?::|：|$)",
        # What one may do with it.
        r"(?:share|tweet|pin|email|print|like) (?:this|on|via|it)\b[^.]{0,60}$",
        r"(?:click to (?:share|email|print)|klick,? um|cliquez pour|haz clic para)\b",
        r"(?:teile?n?(?: sie)?|drucke?n?|empfehlen)\b[^.]{0,40}:$",
        r"(?:teilen sie dies|teilen mit|gefällt mir|partager|compartir|compartilhar|condividi|"
        r"udostępnij|поделиться)\b[^.]{0,40}$",
        r"(?:leave|post|add|write) (?:a|your) (?:comment|reply|response)\b",
        r"(?:schreibe?n?(?: sie)?|hinterlasse?n?(?: sie)?) (?:einen|eine|deinen|ihren) "
        r"(?:kommentar|antwort)",
        r"kommentare? (?:schreiben|hinterlassen|hinzufügen|verfassen|abgeben|abonnieren|"
        r"anzeigen)\b",
        r"(?:laisser|ajouter|écrire) (?:un|votre) commentaire",
        r"(?:deja|dejar|añade|añadir|escribe) (?:un|una|tu) (?:comentario|respuesta)",
        r"(?:lascia|aggiungi|scrivi) un commento",
        r"deixe (?:um comentário|uma resposta)",
        r"(?:plaats|geef) een reactie",
        r"(?:dodaj|zostaw|napisz) komentarz",
        r"(?:derzeit )?(?:noch )?keine kommentare",
        rf"{_NUMBER} {_COMMENTS}\b[^.]{{0,60}}$",
        r"(?:you must|you need to|please) (?:be logged in|log ?in|sign in|register) to\b",
        r"(?:du musst|sie müssen) (?:\S+ )*(?:angemeldet|eingeloggt|anmelden)",
        r"your e-?mail address will not be published",
        r"deine e-mail-adresse wird nicht",
        r"(?:required fields are marked|erforderliche felder sind)",
        # The page as a page.
        r"skip to (?:main |primary )?(?:content|navigation|search)\b",
        r"jump to (?:navigation|search|content)\b",
        r"(?:zum inhalt|zur navigation|zum hauptinhalt) (?:springen|wechseln)",
        r"(?:aller au contenu|saltar al contenido|vai al contenuto|pular para o conteúdo)",
        r"from wikipedia, the free encyclopedia",
        r"aus wikipedia, der freien enzyklopädie",
        r"(?:back to (?:top|blog|home|overview)|zurück (?:zur?|nach) \S+|nach oben|retour "
        r"(?:en haut|à)|"
        r"volver (?:a|arriba))\b[^.]{0,40}$",
        r"(?:previous|next|older|newer) (?:post|article|entry|entries|page|story)s?\b[^.]{0,100}$",
        r"(?:vorherige[rs]?|nächste[rs]?|ältere[rs]?|neuere[rs]?) (?:beitrag|beiträge|artikel|"
        r"seite|"
        r"eintrag|einträge)\b[^.]{0,100}$",
        r"(?:article|billet)s? (?:précédent|suivant)s?\b[^.]{0,100}$",
        r"(?:entrada|artículo)s? (?:anterior|siguiente)(?:es|s)?\b[^.]{0,100}$",
        r"(?:read|learn|see|find out|show|view|load) (?:more|all)\b[^.]{0,60}$",
        r"continue reading\b|weiterlesen\b|mehr (?:lesen|erfahren|anzeigen)\b[^.]{0,100}$",
        r"(?:lire la suite|en savoir plus|leer más|seguir leyendo|leggi tutto|leia mais|lees meer|"
        r"czytaj (?:więcej|dalej)|читать далее)\b[^.]{0,60}$",
        r"(?:follow|find|join|connect with|like) us\b[^.]{0,60}$",
        r"(?:folge|folgen sie|besuche[n sie]*) uns\b[^.]{0,60}$",
        r"(?:subscribe|sign up|register) (?:to|for|now|via|here|by)\b[^.]{0,100}$",
        r"(?:newsletter|rss[- ]feed)\b[^.]{0,60}$",
        r"(?:powered|built|hosted|designed|theme) (?:by|with)\b[^.]{0,60}$",
        r"(?:theme|design):? \S+ (?:by|von)\b",
        r"(?:proudly|stolz) (?:powered|präsentiert)",
        r"bloggen auf|blog at wordpress|create a free website|erstelle eine kostenlose",
        r"(?:©|\(c\)|copyright\b)[^.]{0,30}\d{4}",
        r"advertisements?$|werbung$|anzeige$|publicité$|publicidad$|sponsored\b",
        r"report this ad|(?:%d )?blogge(?:r|rn) gefällt das",
        r"(?:we|this (?:web)?site) uses? cookies",
        r"(?:diese|unsere) (?:web)?(?:seite|site) (?:ver(?:wendet|wenden)|benutz\w+|nutz\w+) "
        r"cookies",
        r"(?:ce site|nous) utilis\w+ (?:des )?cookies",
        r"(?:este sitio(?: web)?|esta web|utilizamos|usamos) (?:utiliza |usa )?cookies",
        r"(?:questo sito|utilizziamo) (?:utilizza )?(?:i )?cookie",
        r"(?:este site|usamos) (?:usa |utiliza )?cookies",
        r"(?:deze (?:web)?site|wij) (?:gebruikt?|maakt gebruik van) cookies",
        r"(?:datenschutz|privacy) ?(?:&|und|and) ?cookies",
    )
)
"""A line of up to 200 characters that begins so."""

ANYWHERE = (
    "all rights reserved",
    "alle rechte vorbehalten",
    "tous droits réservés",
    "todos los derechos reservados",
    "tutti i diritti riservati",
    "tutti i diritti sono riservati",
    "todos os direitos reservados",
    "alle rechten voorbehouden",
    "wszelkie prawa zastrzeżone",
    "все права защищены",
    "版权所有",
    "著作権所有",
    "無断転載",
    "bookmark the permalink",
    "lesezeichen auf den permalink",
    "this site uses cookies",
    "this website uses cookies",
    "we use cookies to",
    "diese seite nutzt cookies",
    "verwenden wir cookies",
    "verwendet diese website cookies",
    "content is licensed under",
    "text is available under",
    "inhalt ist lizenziert unter",
    "inhalte sind lizenziert unter",
)
"""A line of up to 300 characters that has one of these anywhere."""

WHOLE = re.compile(
    _any_of(
        r"permalink",
        r"permanent link(?: to this article)?",
        r"(?:share|tweet|print|e-?mail|pin it|like|reply|report|bookmark|facebook|twitter|"
        r"pinterest|"
        r"linkedin|whatsapp|telegram|reddit|tumblr|instagram|youtube|rss|flattr|pocket|xing)",
        r"(?:teilen|drucken|antworten|merken|melden|weiterleiten|gefällt mir)",
        r"(?:partager|imprimer|répondre|compartir|imprimir|responder|condividi|stampa|rispondi|"
        r"compartilhar|delen|afdrukken|reageer|beantwoorden)",
        r"(?:log ?in|log ?out|sign in|sign up|register|subscribe|search|menu|home|close|next|"
        r"previous|prev|contact(?: us)?|about(?: us)?|help|faq|sitemap|site map|navigation|toggle "
        r"navigation|loading(?:\.\.\.|…)?)",
        r"(?:anmelden|abmelden|registrieren|abonnieren|suchen?|menü|startseite|schließen|weiter|"
        r"zurück|kontakt|über uns|über mich|hilfe|impressum|datenschutz(?:erklärung)?|"
        r"wird geladen(?:\.\.\.|…)?|lade(?:\.\.\.|…))",
        r"(?:se connecter|connexion|s'inscrire|rechercher|recherche|accueil|fermer|suivant|"
        r"précédent|"
        r"mentions légales|à propos|aide)",
        r"(?:iniciar sesión|registrarse|buscar|inicio|cerrar|siguiente|anterior|contacto|acerca de|"
        r"aviso legal)",
        r"(?:accedi|registrati|cerca|chiudi|avanti|indietro|contatti|chi siamo|note legali)",
        r"(?:entrar|pesquisar|início|fechar|próximo|contato|sobre|inloggen|zoeken|sluiten|volgende|"
        r"vorige)",
        r"(?:privacy(?: policy| notice)?|cookie (?:policy|settings|notice)|terms(?: (?:of "
        r"(?:use|service)"
        r"|and conditions|& conditions))?|disclaimer|legal(?: notice)?|accessibility|imprint)",
        r"(?:cookies? (?:akzeptieren|ablehnen|zulassen)|(?:accept|reject|decline|allow) (?:all )?"
        r"(?:cookies?)?|alle akzeptieren|tout accepter|aceptar(?: todo)?)",
        r"by [^\W\d]\S*(?: \S+){0,3} \|.*",
        r"\|? ?(?:by|von|par|por|di|door) ?",
        r"(?:on|am|le|el|il|op|in|um) ?,?",
        r"(?:standard|beitragsnavigation|post navigation|artikel-navigation)",
        r"(?:print|drucken|imprimer) (?:etc\.?|pdf|email|version)",
        r"»?\s*\d* ?(?:shares?|likes?|views?|aufrufe|vues|visitas)",
    )
)
"""A line of up to 60 characters that is nothing else."""

END_HEADINGS = re.compile(
    _any_of(
        r"(?:related|similar|recommended|recent|popular|more|further|latest|other|featured) "
        r"(?:articles?|posts?|stories|content|news|entries|blogs?|from .{0,40}|in .{0,40}|on "
        r".{0,40})",
        r"(?:you (?:may|might) (?:also )?(?:like|enjoy|be interested in)|read (?:next|also)|"
        r"see also "
        r"on .{0,40}|don't miss|trending|most (?:read|popular)|what to read next)\W*.{0,30}",
        r"(?:about (?:the |this )?authors?|authors?|author bio|written by)\W*.{0,40}",
        rf"(?:{_NUMBER} )?{_COMMENTS}\W*(?:\(\d+\)|\d+)?(?: (?:to|on|zu|auf|à|sur|a|en|su) .*)?",
        r"(?:leave|post|add|write|join) (?:a|your|the) (?:comment|reply|response|discussion|"
        r"conversation)\W*.{0,20}",
        r"(?:share|follow|connect|subscribe|newsletter|sign up|stay (?:in touch|connected)|get in "
        r"touch|join us)\b.{0,50}",
        r"(?:post|article|page) navigation",
        r"(?:ähnliche|verwandte|weitere|neueste|beliebte|aktuelle|letzte|passende|andere|mehr) "
        r"(?:beiträge|artikel|themen|einträge|posts|meldungen|nachrichten|links|aus .{0,40}|zum "
        r"thema.{0,30})\W*",
        r"(?:das könnte (?:sie|dich|dir|ihnen) auch|auch interessant|lesen sie auch|lies auch|"
        r"empfohlene).{0,50}",
        r"über (?:den|die) autor(?:in|en)?\W*.{0,60}",
        r"(?:kommentar(?:e)? (?:schreiben|hinterlassen|verfassen|hinzufügen|abgeben)|schreibe "
        r"einen "
        r"kommentar|hinterlasse (?:einen kommentar|eine antwort)|diskussion|deine meinung|"
        r"unterhaltung beginnen|diskutieren sie mit)\W*.{0,20}",
        r"(?:teilen|teile|teilen sie|teilen mit|gefällt mir|weitersagen|"
        r"beitrags-?navigation)\b.{0,40}",
        r"(?:articles?|billets?) (?:similaires|liés|récents|connexes|associés)|à lire "
        r"aussi.{0,40}|sur le "
        r"même (?:sujet|thème)|à propos de l['’]auteur.{0,30}|laisser un commentaire|"
        r"partager.{0,30}",
        r"(?:artículos|entradas|noticias|contenidos?) (?:relacionad[oa]s|recientes|similares)|"
        r"te puede "
        r"interesar.{0,30}|sobre el autor.{0,30}|deja (?:un comentario|una respuesta)|"
        r"compart(?:e|ir)"
        r".{0,30}|comparte esto.{0,10}",
        r"(?:articoli|post|notizie) (?:correlat[ie]|recenti|simili)|potrebbe interessarti.{0,30}|"
        r"lascia un commento|condividi.{0,30}|sull['’]autore.{0,30}",
        r"(?:artigos|posts|notícias) (?:relacionad[oa]s|recentes)|sobre o autor.{0,30}|deixe (?:um "
        r"comentário|uma resposta)|compartilh(?:e|ar).{0,30}",
        r"(?:gerelateerde|meer) (?:berichten|artikelen)|over de auteur.{0,30}|geef een reactie|dit "
        r"delen.{0,10}",
        r"(?:powiązane|podobne) (?:artykuły|wpisy)|o autorze.{0,30}|dodaj komentarz|"
        r"udostępnij.{0,30}",
        r"похожие (?:статьи|записи)|читайте также.{0,30}|об авторе.{0,30}|добавить комментарий|"
        r"комментарии.{0,10}",
        r"関連記事|コメント(?:を残す)?|相关(?:文章|阅读)|发表评论|评论",
        r"관련 ?(?:글|기사)|댓글.{0,10}",
    )
)
"""A heading of up to 80 characters that begins a page's end matter."""
